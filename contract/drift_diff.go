package contract

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/partnerkit/partnerkit/contract/recording"
)

// driftKind is what a rule says of a field.
type driftKind string

const (
	driftID       driftKind = "id"       // another value is the same, if it is so everywhere
	driftVolatile driftKind = "volatile" // it does not matter
	driftPresent  driftKind = "present"  // it is there or not: a secret, or an address
)

// A driftRule is about fields of answers.
type driftRule struct {
	protocol, method string // "" for any
	path             *regexp.Regexp
	kind             driftKind
}

// defaultRules say which fields cannot be the same. docs/recorder.md has the table.
var defaultRules = func() []driftRule {
	var all []driftRule
	add := func(kind driftKind, protocol string, paths ...string) {
		for _, path := range paths {
			all = append(all, driftRule{protocol: protocol, path: pathPattern(path), kind: kind})
		}
	}
	add(driftPresent, recording.Integra, "data.cryptKey")
	add(driftID, recording.Integra, "data.transactionId", "data.paymentId", "data.id", "data.userHash", "data.hash", "data[].hash", "data.messages[].id", "data.messages[].templateId")
	add(driftVolatile, recording.Integra, "version", "notices", "data.lastBillingDate", "*.untilTime")
	add(driftID, recording.AnyMoney, "result.lid", "lid", "result.ref", "ref", "result.owner", "owner")
	add(driftVolatile, recording.AnyMoney, "*ctime", "*ftime")
	add(driftPresent, recording.AnyMoney, "*token", "*paylink", "*callback_url")
	add(driftID, recording.Robokassa, "invoiceID", "id", "invoiceInformationList[].id", "requestId")
	add(driftVolatile, recording.Robokassa, "*Date", "*created", "*modified")
	add(driftPresent, recording.Robokassa, "*OpKey", "url", "*invoicePaymentUrl", "errorMessage")
	return all
}()

// pathPattern is a pattern of paths: * stands for any characters, [] for any index, and what
// matches a field matches all below it.
func pathPattern(pattern string) *regexp.Regexp {
	text := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`)
	return regexp.MustCompile(`^` + strings.ReplaceAll(text, `\[\]`, `\[\d*\]`) + `($|[.\[])`)
}

// driftRules are the default ones behind those that a user gives: METHOD:PATH or PATH.
func driftRules(ignore []string) ([]driftRule, error) {
	var rules []driftRule
	for _, pattern := range ignore {
		method, path, of := strings.Cut(pattern, ":")
		if !of {
			method, path = "", pattern
		}
		if path == "" || strings.ContainsAny(pattern, " \t") {
			return nil, fmt.Errorf("ignore: %q is no path such as data.balance, data.messages[].title or getUserData:data.url", pattern)
		}
		rules = append(rules, driftRule{method: method, path: pathPattern(path), kind: driftVolatile})
	}
	return append(rules, defaultRules...), nil
}

// ruleOf is what the first rule says that is about a field, "" if none is.
func (r *replay) ruleOf(x *recording.Exchange, path string) driftKind {
	for _, rule := range r.rules {
		if (rule.protocol == "" || rule.protocol == x.Protocol) && (rule.method == "" || rule.method == x.Method) && rule.path.MatchString(path) {
			return rule.kind
		}
	}
	return ""
}

// compareAnswer notes every difference between a recorded answer and the stand-in's.
func (r *replay) compareAnswer(x *recording.Exchange, got answer) {
	m, err := recording.ParseResponse(x.Response)
	switch {
	case err != nil: // it was read strictly
		return
	case got.err != nil:
		r.differ(x, "(status)", strconv.Itoa(m.Status), "no answer: "+got.err.Error())
		return
	}
	r.differ(x, "(status)", strconv.Itoa(m.Status), strconv.Itoa(got.status))
	kind, gotKind := mediaOf(m.Header("Content-Type")), mediaOf(got.header.Get("Content-Type"))
	r.differ(x, "(content-type)", orAbsent(kind), orAbsent(gotKind))
	r.differ(x, "(location)", isThere(m.Header("Location")), isThere(got.header.Get("Location")))
	if strings.Contains(x.LeftOut, "response:") {
		return // what is a page for people is compared no further
	}
	recorded, standIn := bodyOf(m.Body), bodyOf(string(got.body))
	if kindOf(recorded) != kindOf(standIn) {
		r.differ(x, "(body)", kindOf(recorded), kindOf(standIn))
		return
	}
	r.compare(x, "", recorded, standIn)
}

func mediaOf(header string) string {
	media, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return media
}

func orAbsent(text string) string {
	if text == "" {
		return Absent
	}
	return text
}

func isThere(text string) string {
	if text == "" {
		return Absent
	}
	return "present"
}

// plainText is a body that is neither JSON nor XML.
type plainText string

// xmlTree is a body that is XML.
type xmlTree map[string]any

// bodyOf reads a body as far as it can be compared by fields.
func bodyOf(body string) any {
	if strings.TrimSpace(body) == "" {
		return nil
	}
	if value := readJSON([]byte(body)); value != nil {
		return value
	}
	if tree := readXML(body); tree != nil {
		return tree
	}
	return plainText(body)
}

func kindOf(body any) string {
	switch body.(type) {
	case nil:
		return "empty"
	case plainText:
		return "text"
	case xmlTree:
		return "XML"
	}
	return "JSON"
}

// readXML reads a document as nested objects: elements by name, in lists where one is
// repeated. nil for what is none.
func readXML(text string) xmlTree {
	decoder := xml.NewDecoder(strings.NewReader(text))
	var element func() (any, error)
	element = func() (any, error) {
		inner := map[string]any{}
		var words strings.Builder
		for {
			token, err := decoder.Token()
			if err != nil {
				return nil, err
			}
			switch t := token.(type) {
			case xml.StartElement:
				value, err := element()
				if err != nil {
					return nil, err
				}
				switch before := inner[t.Name.Local].(type) {
				case nil:
					inner[t.Name.Local] = value
				case []any:
					inner[t.Name.Local] = append(before, value)
				default:
					inner[t.Name.Local] = []any{before, value}
				}
			case xml.CharData:
				words.Write(t)
			case xml.EndElement:
				if len(inner) == 0 {
					return strings.TrimSpace(words.String()), nil
				}
				return inner, nil
			}
		}
	}
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		if root, ok := token.(xml.StartElement); ok {
			value, err := element()
			if _, behind := decoder.Token(); err != nil || !errors.Is(behind, io.EOF) {
				return nil
			}
			return xmlTree{root.Name.Local: value}
		}
	}
}

// compare notes every difference below a path.
func (r *replay) compare(x *recording.Exchange, path string, recorded, standIn any) {
	switch kind := r.ruleOf(x, path); {
	case path == "":
	case kind == driftVolatile:
		return
	case kind == driftPresent:
		r.differ(x, path, isPresent(recorded), isPresent(standIn))
		return
	case kind == driftID:
		r.compareID(x, path, recorded, standIn)
		return
	}
	switch a := recorded.(type) {
	case xmlTree:
		r.compareObjects(x, path, a, standIn.(xmlTree))
		return
	case map[string]any:
		if b, ok := standIn.(map[string]any); ok {
			r.compareObjects(x, path, a, b)
			return
		}
	case []any:
		if b, ok := standIn.([]any); ok {
			r.compareLists(x, path, a, b)
			return
		}
	case json.Number:
		if b, ok := standIn.(json.Number); ok && sameNumber(a, b) {
			return
		}
	case string:
		b, ok := standIn.(string)
		if ok && (strings.Contains(a, recording.Mask) && b != "" || a == r.ids.asRecorded(b)) {
			return
		}
	case plainText:
		b, ok := standIn.(plainText)
		if ok && (strings.Contains(string(a), recording.Mask) || string(a) == r.ids.asRecorded(string(b))) {
			return
		}
	}
	r.differ(x, pathOr(path), r.show(recorded, false), r.show(standIn, true))
}

func pathOr(path string) string {
	if path == "" {
		return "(body)"
	}
	return path
}

func isPresent(value any) string {
	if value == nil || value == "" {
		return Absent
	}
	return "present"
}

func (r *replay) compareObjects(x *recording.Exchange, path string, a, b map[string]any) {
	names := slices.Collect(maps.Keys(a))
	for name := range b {
		if _, there := a[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		below := strings.TrimPrefix(path+"."+name, ".")
		left, isLeft := a[name]
		right, isRight := b[name]
		if !isLeft || !isRight {
			r.lack(x, below, left, isLeft, right, isRight)
			continue
		}
		r.compare(x, below, left, right)
	}
}

func (r *replay) compareLists(x *recording.Exchange, path string, a, b []any) {
	for i := range max(len(a), len(b)) {
		below := fmt.Sprintf("%s[%d]", path, i)
		if i >= len(a) || i >= len(b) {
			var left, right any
			if i < len(a) {
				left = a[i]
			} else {
				right = b[i]
			}
			r.lack(x, below, left, i < len(a), right, i < len(b))
			continue
		}
		r.compare(x, below, a[i], b[i])
	}
}

// lack notes what is on one side alone.
func (r *replay) lack(x *recording.Exchange, path string, recorded any, isRecorded bool, standIn any, isStandIn bool) {
	left, right := Absent, Absent
	if isRecorded {
		left = r.show(recorded, false)
	}
	if isStandIn {
		right = r.show(standIn, true)
	}
	r.differ(x, path, left, right)
}

// compareID lets an id stand for another from now on, and notes where it does not.
func (r *replay) compareID(x *recording.Exchange, path string, recorded, standIn any) {
	a, isA := idOf(recorded)
	b, isB := idOf(standIn)
	same := isA && isB && fmt.Sprintf("%T", recorded) == fmt.Sprintf("%T", standIn)
	if same && !strings.Contains(a, recording.Mask) {
		same = r.ids.bind(scoped(path, a), scoped(path, b))
	}
	if !same {
		r.differ(x, path, r.show(recorded, false), r.show(standIn, true))
	}
}

var index = regexp.MustCompile(`\[\d*\]`)

// scoped is an id as it is kept: what is short means something only where it stands.
func scoped(path, id string) string {
	if len(id) >= shortestID {
		return id
	}
	return index.ReplaceAllString(path, "[]") + " " + id
}

func idOf(value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), true
	}
	return "", false
}

// sameNumber compares what numbers are worth, exactly.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	if len(a) > 40 || len(b) > 40 || strings.ContainsAny(string(a+b), "eE") {
		return false
	}
	left, errA := decimal.NewFromString(string(a))
	right, errB := decimal.NewFromString(string(b))
	return errA == nil && errB == nil && left.Equal(right)
}

// show writes a value as JSON; of the stand-in, with the recording's ids.
func (r *replay) show(value any, standIn bool) string {
	if text, ok := value.(plainText); ok {
		value = string(text)
	}
	if text, ok := value.(string); ok && standIn {
		value = r.ids.asRecorded(text)
	}
	text := string(plainJSON(value))
	if _, isText := value.(string); standIn && !isText {
		return r.ids.asRecorded(text)
	}
	return text
}
