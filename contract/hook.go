package contract

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Hook reaches into the adapter under test: it makes users, gives them money and shows
// their balances. It is safe for concurrent use.
type Hook interface {
	// Has tells whether the hook knows an operation.
	Has(op string) bool
	// Do carries an operation out. ErrRefused is the adapter saying no to a payment or a
	// refund; every other error is a fault of the hook.
	Do(ctx context.Context, op string, args map[string]string) (map[string]string, error)
}

// ErrRefused is an adapter that says no to a direct payment or a refund.
var ErrRefused = errorf("the adapter refused")

// The operations of a hook, with their arguments and what they answer. A user is named by
// the hash at the platform, an amount is a decimal such as 100.50.
const (
	opRegister     = "register"      // login → hash: calls createUser and keeps the user
	opAdopt        = "adopt"         // login, user, key → : keeps a user that exists at the platform
	opLink         = "link"          // user → url: the iframe's src
	opProof        = "proof"         // user → proof: what {proof} of notify_url is for this user
	opExpiredProof = "expired_proof" // user → proof: one that has expired
	opDeposit      = "deposit"       // user, amount →
	opBalance      = "balance"       // user → available, reserved
	opPay          = "pay"           // user, amount, key → : a direct payment under an idempotency key
	opRefund       = "refund"        // user, payment, amount, key → : of a confirmed payment
	opReset        = "reset"         // → : forget everything; called before the first check
)

// opToken is no operation, but a command of the hook all the same.
const opToken = "token"

var operations = []string{opRegister, opAdopt, opLink, opProof, opExpiredProof, opDeposit, opBalance, opPay, opRefund, opReset}

// bare is what an operation's answer is called if it is a bare text.
var bare = map[string]string{opRegister: "hash", opLink: "url", opProof: "proof", opExpiredProof: "proof", opBalance: "available"}

// maxAnswer is how much of any answer is read.
const maxAnswer = 1 << 20

// command returns the command of an operation.
func (h *HookTarget) command(op string) []string {
	switch op {
	case opRegister:
		return h.Register
	case opAdopt:
		return h.Adopt
	case opLink:
		return h.Link
	case opProof:
		return h.Proof
	case opExpiredProof:
		return h.ExpiredProof
	case opDeposit:
		return h.Deposit
	case opBalance:
		return h.Balance
	case opPay:
		return h.Pay
	case opRefund:
		return h.Refund
	case opReset:
		return h.Reset
	}
	return nil
}

func (h *HookTarget) has(op string) bool {
	_, request := h.Requests[op]
	return request || len(h.command(op)) > 0 || h.URL != "" && slices.Contains(h.Operations, op)
}

// targetHook is the hook that a target's file describes.
type targetHook struct {
	HookTarget
	fill   func(string) string // in the file's variables
	env    []string
	folder string
	limit  time.Duration
	client *http.Client
	places chan struct{} // commands at once

	mu      sync.Mutex
	printed string // by the token's command
}

// Has tells whether the file names the operation.
func (h *targetHook) Has(op string) bool { return h.has(op) }

// Do makes the operation's request, runs its command, or posts it to the URL.
func (h *targetHook) Do(ctx context.Context, op string, args map[string]string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, h.limit)
	defer cancel()
	var out []byte
	var err error
	if request, ok := h.Requests[op]; ok {
		out, err = h.request(ctx, op, request, args)
	} else if command := h.command(op); len(command) > 0 {
		out, err = h.run(ctx, op, command, args)
	} else {
		out, err = h.post(ctx, op, args)
	}
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = errorf("no answer within %s (limits.hook)", h.limit)
	}
	if err != nil {
		return nil, errorf("hook %s: %w", op, err)
	}
	answer, err := readAnswer(op, out)
	if err != nil {
		return nil, errorf("hook %s: %w", op, err)
	}
	return answer, nil
}

// put puts an operation's arguments into a text, each as escape makes it.
func put(text string, args map[string]string, escape func(string) string) string {
	for name, value := range args {
		text = strings.ReplaceAll(text, "{"+name+"}", escape(value))
	}
	return text
}

func asItIs(text string) string { return text }

func (h *targetHook) run(ctx context.Context, op string, words []string, args map[string]string) ([]byte, error) {
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	command := slices.Clone(words)
	for i, word := range command {
		command[i] = put(h.fill(word), args, asItIs)
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // the target's own command
	cmd.Dir, cmd.Env = h.folder, h.env
	cmd.WaitDelay = time.Second // a child that holds the pipes does not hold us
	alone(cmd)
	cmd.Cancel = func() error { return endAll(cmd.Process) }
	var out, errs head
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	switch {
	case out.cut:
		return nil, errorf("%s printed more than 1 MiB", command[0])
	case errors.As(err, &ended) && (op == opPay || op == opRefund):
		return nil, errorf("%w: %s", ErrRefused, said(out, errs))
	case err != nil:
		return nil, errorf("%s: %w: %s", strings.Join(command, " "), err, said(out, errs))
	}
	return out.text, nil
}

// said is what a command printed, for a message of one line.
func said(out, errs head) Text {
	text := strings.TrimSpace(string(errs.text) + " " + string(out.text))
	if text == "" {
		return say("it printed nothing")
	}
	return verbatim(oneLine(text, 400))
}

// post sends an operation to the one URL.
func (h *targetHook) post(ctx context.Context, op string, args map[string]string) ([]byte, error) {
	message := map[string]string{"op": op}
	maps.Copy(message, args)
	return h.send(ctx, op, http.MethodPost, h.URL, message, args)
}

// request makes the request that the file gives for an operation.
func (h *targetHook) request(ctx context.Context, op string, r HookRequest, args map[string]string) ([]byte, error) {
	if args["key"] == "" { // of a call that is never repeated
		args = maps.Clone(args)
		if args == nil {
			args = map[string]string{}
		}
		args["key"] = rand.Text()
	}
	verb, address := r.verb()
	body := maps.Clone(r.Body)
	for name, text := range body {
		body[name] = put(h.fill(text), args, asItIs)
	}
	return h.send(ctx, op, verb, put(h.fill(address), args, url.PathEscape), body, args)
}

// send makes a request. No to a payment or refund is ErrRefused.
func (h *targetHook) send(ctx context.Context, op, verb, address string, message, args map[string]string) ([]byte, error) {
	address = h.fill(address)
	var body io.Reader
	if message != nil {
		raw, err := json.Marshal(message)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, verb, address, body)
	if err != nil {
		return nil, err
	}
	if message != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	token, err := h.token(ctx)
	if err != nil {
		return nil, err
	}
	for name, value := range h.Headers {
		req.Header.Set(name, put(h.fill(strings.ReplaceAll(value, "${token}", token)), args, asItIs))
	}
	res, err := h.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	out, err := readAll(res.Body)
	switch {
	case err != nil:
		return nil, errorf("%s %s: %w", verb, address, err)
	case res.StatusCode/100 == 2 && len(bytes.TrimSpace(out)) > 0 && !json.Valid(out):
		return nil, errorf("%s %s: the answer is no JSON: %s", verb, address, oneLine(string(out), 200))
	case res.StatusCode/100 == 2:
		return out, nil
	case (op == opPay || op == opRefund) && (res.StatusCode == http.StatusPaymentRequired || res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusUnprocessableEntity):
		return nil, errorf("%w: %s", ErrRefused, oneLine(string(out), 400))
	}
	return nil, errorf("%s %s: %s: %s", verb, address, res.Status, oneLine(string(out), 400))
}

// token is what the command for it has printed; it is run once.
func (h *targetHook) token(ctx context.Context) (string, error) {
	if len(h.Token) == 0 {
		return "", nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.printed == "" {
		out, err := h.run(ctx, opToken, h.Token, nil)
		if err != nil {
			return "", errorf("adapter.hook.token: %w", err)
		}
		if h.printed = strings.TrimSpace(string(out)); h.printed == "" {
			return "", errorf("adapter.hook.token: the command printed nothing")
		}
	}
	return h.printed, nil
}

// secret is what vouches for the suite at the hook.
func (h *targetHook) secret() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return []string{h.printed}
}

// readAnswer reads an object of texts or numbers, or a bare text.
func readAnswer(op string, out []byte) (map[string]string, error) {
	out = bytes.TrimSpace(out)
	if len(out) == 0 || out[0] != '{' {
		if name := bare[op]; name != "" && len(out) > 0 {
			return map[string]string{name: string(out)}, nil
		}
		if bare[op] != "" {
			return nil, errorf("the answer is empty")
		}
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, errorf("the answer is no JSON object: %w: %s", err, oneLine(string(out), 200))
	}
	answer := map[string]string{}
	for name, value := range object {
		switch value := value.(type) {
		case string:
			answer[name] = value
		case json.Number:
			answer[name] = value.String()
		}
	}
	if name := bare[op]; name != "" && answer[name] == "" {
		return nil, errorf("the answer has no %q: %s", name, oneLine(string(out), 200))
	}
	return answer, nil
}

// errTooLong is an answer of which more came than anybody can mean.
var errTooLong = errorf("the answer is longer than 1 MiB")

// readAll reads at most maxAnswer bytes.
func readAll(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(out) > maxAnswer {
		return nil, errTooLong
	}
	return out, err
}

// head keeps the first maxAnswer bytes of what is written to it.
type head struct {
	text []byte
	cut  bool
}

// Write keeps what there is room for, and never fails.
func (h *head) Write(p []byte) (int, error) {
	room := maxAnswer - len(h.text)
	h.cut = h.cut || len(p) > room
	h.text = append(h.text, p[:min(len(p), room)]...)
	return len(p), nil
}

// oneLine makes text fit into a message.
func oneLine(text string, most int) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
