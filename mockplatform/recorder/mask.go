package recorder

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/contract/recording"
	"github.com/partnerkit/partnerkit/mockplatform/journal"
)

// secretWords are words that say of a name that its value is secret. OpKey is one: with it a
// card is charged again.
var secretWords = map[string]bool{
	"token": true, "secret": true, "key": true, "sign": true, "signature": true, "pass": true, "password": true, "pwd": true,
	"auth": true, "authorization": true, "cookie": true, "credential": true, "credentials": true, "session": true, "jwt": true,
	"cvv": true, "cvc": true, "pan": true, "card": true, "cardnumber": true, "otp": true, "pin": true, "apikey": true,
	"crc": true, // Robokassa's older name of its signature
}

// namesSecret tells whether the value of a header, a parameter or a member is secret by its
// name: any word of it in camelCase, snake_case or with hyphens.
func namesSecret(name string) bool {
	var word strings.Builder
	secret, lower := false, false
	end := func() {
		secret = secret || secretWords[strings.ToLower(word.String())]
		word.Reset()
	}
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		lower = unicode.IsLower(r)
		word.WriteRune(r)
	}
	end()
	return secret || secretWords[strings.ToLower(strings.Trim(name, "0123456789"))]
}

var (
	// kData is what stands in k behind the hash, however it is encoded.
	kData = regexp.MustCompile(integra.Prefix + `([0-9A-Za-z]{32})[0-9A-Za-z+/=%_-]+`)
	// jwt is a token in three parts; the third is what makes it good for anything.
	jwt = regexp.MustCompile(`(eyJ[0-9A-Za-z_-]{4,}\.[0-9A-Za-z_-]+)\.[0-9A-Za-z_-]+`)
	// anyJWT is one whose third part may be masked already.
	anyJWT = regexp.MustCompile(`eyJ[0-9A-Za-z_-]{4,}\.([0-9A-Za-z_-]+)\.(?:\*\*\*|[0-9A-Za-z_-]+)`)
	// digits may be the number of a card.
	digits = regexp.MustCompile(`\b[2-6](?:[ -]?[0-9]){12,18}\b`)
	// userInfo is a password in an address.
	userInfo = regexp.MustCompile(`(://)[^/\s@"'<>]+@`)
	// inQuery is a parameter in an address, or an assignment, anywhere in a text.
	inQuery = regexp.MustCompile(`(^|[?&\s]|&amp;)([0-9A-Za-z_.-]+)=([^&\s"'<>\\]+)`)
	// inXML is an element without elements.
	inXML = regexp.MustCompile(`<([A-Za-z][0-9A-Za-z:_.-]*)((?:\s[^<>]*)?)>([^<]+)</`)
)

// masked takes out of any text what is secret by its form.
func masked(text string) string {
	text = kData.ReplaceAllString(text, integra.Prefix+"$1"+recording.Mask)
	text = jwt.ReplaceAllString(text, "$1."+recording.Mask)
	text = userInfo.ReplaceAllString(text, "$1"+recording.Mask+"@")
	text = digits.ReplaceAllStringFunc(text, func(number string) string {
		if !isCard(number) {
			return number
		}
		return recording.Mask
	})
	text = inQuery.ReplaceAllStringFunc(text, func(pair string) string {
		m := inQuery.FindStringSubmatch(pair)
		if !secretParameter(m[2]) {
			return pair
		}
		return m[1] + m[2] + "=" + maskValue(m[3])
	})
	return text
}

// secretParameter is namesSecret for parameters of an address or a form.
func secretParameter(name string) bool { return name == integra.ParamK || namesSecret(name) }

// maskValue hides a value. Of k, the hash is no secret; nor is what a token says.
func maskValue(value string) string {
	if value == "" || strings.HasSuffix(value, recording.Mask) && (strings.HasPrefix(value, integra.Prefix) || strings.HasPrefix(value, "eyJ")) {
		return value
	}
	return recording.Mask
}

// isCard tells whether digits are the number of a card: by their sum (ISO/IEC 7812).
func isCard(number string) bool {
	sum, at := 0, 0
	for _, c := range slices.Backward([]byte(number)) {
		if c < '0' || c > '9' {
			continue
		}
		n := int(c - '0')
		if at%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
		at++
	}
	return sum%10 == 0
}

// maskForm hides values of a query or form by their names, and leaves the rest as it is.
func maskForm(text string) string {
	pairs := strings.Split(text, "&")
	for i, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok && secretParameter(name) {
			pairs[i] = name + "=" + maskValue(masked(value))
		}
	}
	return strings.Join(pairs, "&")
}

// maskJSON hides values by the names of their members, and leaves the rest as it is. ok is
// false for what is no JSON.
func maskJSON(text string) (_ string, ok bool) {
	if !json.Valid([]byte(text)) {
		return "", false
	}
	type level struct{ object, name, hide bool } // name: the next token is one
	var b strings.Builder
	var stack []level
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	from, at, hide := 0, 0, false
	put := func(start int, clean string) {
		b.WriteString(text[from:start])
		b.Write(journal.PlainJSON(clean))
		from = at
	}
	for {
		token, err := decoder.Token()
		if err != nil {
			return b.String() + text[from:], true // it is valid, so this is its end
		}
		start := at + strings.IndexFunc(text[at:], func(r rune) bool { return !strings.ContainsRune(" \t\r\n,:", r) })
		at = int(decoder.InputOffset())
		top := len(stack) - 1
		switch token := token.(type) {
		case json.Delim:
			if token == '{' || token == '[' {
				inherited := hide || top >= 0 && stack[top].hide
				stack = append(stack, level{token == '{', token == '{', inherited})
				hide = false
				continue
			}
			stack = stack[:top]
			if top--; top >= 0 {
				stack[top].name = stack[top].object
			}
			hide = false
			continue
		case string:
			if top >= 0 && stack[top].name {
				hide, stack[top].name = namesSecret(token), false
				continue
			}
			clean := masked(token)
			if hide || top >= 0 && stack[top].hide {
				clean = maskValue(clean)
			}
			if clean != token {
				put(start, clean)
			}
		case json.Number:
			if hide || top >= 0 && stack[top].hide || masked(token.String()) == recording.Mask {
				put(start, recording.Mask)
			}
		}
		hide = false
		if top >= 0 {
			stack[top].name = stack[top].object
		}
	}
}

// maskXML hides elements by their names.
func maskXML(text string) string {
	return inXML.ReplaceAllStringFunc(text, func(element string) string {
		m := inXML.FindStringSubmatch(element)
		_, local, prefixed := strings.Cut(m[1], ":")
		if !prefixed {
			local = m[1]
		}
		if strings.TrimSpace(m[3]) == "" || !namesSecret(local) {
			return element
		}
		return "<" + m[1] + m[2] + ">" + recording.Mask + "</"
	})
}

// maskHeaders returns headers without what is secret in them, and without those that say how
// a body was packed, which it no longer is.
func maskHeaders(h http.Header) http.Header {
	clean := http.Header{}
	for name, values := range h {
		switch name {
		case "Content-Encoding", "Content-Length", "Transfer-Encoding":
			continue
		}
		for _, value := range values {
			value = masked(headerValue(value))
			if namesSecret(name) {
				value = recording.Mask
			}
			clean[name] = append(clean[name], value)
		}
	}
	return clean
}

// headerValue is a value that stands on one line, in UTF-8.
func headerValue(value string) string {
	return strings.ToValidUTF8(strings.NewReplacer("\r", " ", "\n", " ").Replace(value), "\ufffd")
}

// maskBody returns a body as it may be kept, or why it is left out: what cannot be
// understood may hide a secret.
func maskBody(body []byte, kind string) (kept, leftOut string) {
	if len(body) == 0 {
		return "", ""
	}
	media, _, err := mime.ParseMediaType(kind)
	if err != nil {
		media = ""
	}
	text := string(body)
	if !utf8.ValidString(text) {
		return "", fmt.Sprintf("%d bytes that are not UTF-8 (%s)", len(body), orNone(media))
	}
	if clean, isJSON := maskJSON(text); isJSON {
		return clean, ""
	}
	switch {
	case media == "application/x-www-form-urlencoded":
		return masked(maskForm(text)), ""
	case media == "text/xml", strings.HasSuffix(media, "+xml") && media != "application/xhtml+xml", media == "application/xml",
		bytes.HasPrefix(bytes.TrimSpace(body), []byte("<?xml")):
		return masked(maskXML(text)), ""
	case media == "text/plain" && len(text) <= 1<<10, len(text) <= 64<<10 && jwt.MatchString(text) && jwt.FindString(text) == strings.Trim(text, "\" \r\n"):
		return masked(text), ""
	}
	return "", fmt.Sprintf("%d bytes of %s", len(body), orNone(media))
}

func orNone(media string) string {
	if media == "" {
		return "no known type"
	}
	return media
}

// scrubber takes known secrets out of texts, in whatever form they stand there.
type scrubber struct {
	secrets *strings.Replacer
}

func newScrubber(known []string) scrubber {
	var pairs []string
	for _, secret := range known {
		for _, form := range journal.Forms(secret) {
			pairs = append(pairs, form, recording.Mask)
		}
	}
	return scrubber{strings.NewReplacer(pairs...)}
}

// clean also looks into tokens: what they say is only encoded.
func (s scrubber) clean(text string) string {
	text = anyJWT.ReplaceAllStringFunc(text, func(token string) string {
		plain, err := base64.RawURLEncoding.DecodeString(anyJWT.FindStringSubmatch(token)[1])
		if err != nil {
			return recording.Mask
		}
		if kept, isJSON := maskJSON(string(plain)); !isJSON || s.secrets.Replace(kept) != string(plain) {
			return recording.Mask
		}
		return token
	})
	return s.secrets.Replace(text)
}

func tooLong(size int64) string { return fmt.Sprintf("%d bytes: longer than %d", size, MaxBody) }
