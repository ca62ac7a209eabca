package contract

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// mask stands in a report for a secret.
const mask = "••••••"

// shortestSecret is where hiding begins: a shorter one would be found in every text.
const shortestSecret = 4

// secrets are the keys and passwords that the target was given, and what came from variables
// whose names say that they are some.
func (t *Target) secrets() []string {
	all := slices.Clone(t.confidential)
	if t.Adapter != nil {
		all = append(all, t.Adapter.Partner.Key)
	}
	if p := t.Platform; p != nil {
		if p.Integra != nil {
			all = append(all, p.Integra.Partner.Key)
		}
		if p.AnyMoney != nil {
			all = append(all, p.AnyMoney.Key, p.AnyMoney.SCIKey)
		}
		if p.Robokassa != nil {
			all = append(all, p.Robokassa.Password1, p.Robokassa.Password2, p.Robokassa.TestPassword1, p.Robokassa.TestPassword2, p.Robokassa.Password3)
		}
	}
	return all
}

// secrets are those of the target and of its hook.
func (e *env) secrets() []string {
	all := e.target.secrets()
	if h, ok := e.hook.(*targetHook); ok {
		all = append(all, h.secret()...)
	}
	return all
}

// hiding returns what puts the mask in the place of secrets, also where they are url-encoded.
func hiding(secrets []string) *strings.Replacer {
	var all []string
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			inJSON := strings.Trim(string(plainJSON(secret)), `"`)
			all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret), inJSON, strings.ReplaceAll(inJSON, "/", `\/`)) // as PHP writes it
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longer first
	pairs := make([]string, 0, 2*len(all))
	for _, secret := range slices.Compact(all) {
		pairs = append(pairs, secret, mask)
	}
	return strings.NewReplacer(pairs...)
}

// secret has a secret that came up during the check hidden in its report.
func (t *T) secret(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secrets = append(t.secrets, text)
}

// hide takes the secrets out of what the report shows of a check. In a command that makes a
// call again, what vouches for a user of the run stays: without it the call would be another.
func (t *T) hide(e *ending) {
	own := t.env.secrets()
	everywhere, inCommands := hiding(slices.Concat(own, t.secrets)), hiding(own)
	for i := range e.exchanges {
		x := &e.exchanges[i]
		for _, text := range []*string{&x.Request, &x.Response, &x.Args, &x.Err} {
			*text = everywhere.Replace(*text)
		}
		x.Curl = inCommands.Replace(x.Curl)
	}
	e.why = Text{everywhere.Replace(e.why.En), everywhere.Replace(e.why.Ru)}
	if f := e.failure; f != nil {
		for _, text := range []*string{&f.Want, &f.Got, &f.WantRu, &f.GotRu} {
			*text = everywhere.Replace(*text)
		}
	}
}

// hide takes the secrets out of what the report says beside the checks.
func (r *runner) hide() {
	secrets := r.env.secrets()
	for _, t := range r.ts {
		if t != nil {
			secrets = append(secrets, t.secrets...)
		}
	}
	masked := hiding(secrets)
	for _, texts := range [][]string{r.report.Problems, r.report.ProblemsRu} {
		for i, text := range texts {
			texts[i] = masked.Replace(text)
		}
	}
}
