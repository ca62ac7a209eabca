package integra

import (
	"encoding/json"
	"strconv"
	"strings"

	wire "github.com/partnerkit/partnerkit/contract/integra"
)

// maxMessages bounds the messages kept per user; the oldest make room.
const maxMessages = 20

// template is one kind of message, in Mustache, for users who read Russian.
type template struct {
	id          int
	kind        string
	title, text string
}

// The kinds of messages.
var (
	welcome = &template{
		1, "welcome", "Добро пожаловать",
		`Аккаунт создан. Чтобы запустить продвижение, <a href="{{go/payment}}">пополните баланс</a>.`,
	}
	toppedUp = &template{
		2, "payment_confirmed", "Баланс пополнен",
		`Зачислено {{amount}} руб.`,
	}
	notToppedUp = &template{
		3, "payment_declined", "Пополнение отклонено",
		`Платёж на {{amount}} руб. отклонён. Попробуйте <a href="{{go/payment}}">пополнить ещё раз</a> или <a href="{{go/support}}">напишите нам</a>.`,
	}
	templates = []*template{welcome, toppedUp, notToppedUp}
)

// message is one message to a user.
type message struct {
	id     int64
	kind   *template
	amount string // parameter of the template; "" if it has none
	read   bool
}

// tell sends the user a message. It wants mu held, or the user unknown to everybody else.
func (u *user) tell(p *Platform, kind *template, amount string) {
	if len(u.messages) >= maxMessages {
		copy(u.messages, u.messages[1:])
		u.messages = u.messages[:len(u.messages)-1]
	}
	u.messages = append(u.messages, message{id: p.messages.Add(1), kind: kind, amount: amount})
	u.changed()
}

// unread counts the messages not marked as read. It wants mu held.
func (u *user) unread() int {
	n := 0
	for i := range u.messages {
		if !u.messages[i].read {
			n++
		}
	}
	return n
}

// takeMessages returns the unread messages, and marks them as read if mark is set.
func (u *user) takeMessages(mark bool) []wire.Message {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := []wire.Message{}
	for i := range u.messages {
		m := &u.messages[i]
		if m.read {
			continue
		}
		found = append(found, m.view(u.login))
		if mark {
			m.read = true
			u.changed()
		}
	}
	return found
}

func (m *message) view(login string) wire.Message {
	params := map[string]string{}
	if m.amount != "" {
		params["amount"] = m.amount
	}
	raw, _ := json.Marshal(params) // strings always marshal
	return wire.Message{
		ID: wire.Text(strconv.FormatInt(m.id, 10)), UserLogin: login, Type: m.kind.kind,
		Title: m.kind.title, Text: strings.ReplaceAll(m.kind.text, "{{amount}}", m.amount), Params: raw,
		TemplateID: wire.Text(strconv.Itoa(m.kind.id)), TextTemplate: m.kind.text, TitleTemplate: m.kind.title,
	}
}

// readMessages marks the unread messages among ids, and returns how many there were.
func (u *user) readMessages(ids map[int64]bool) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := 0
	for i := range u.messages {
		if m := &u.messages[i]; ids[m.id] && !m.read {
			m.read = true
			n++
		}
	}
	if n > 0 {
		u.changed()
	}
	return n
}

func messageTemplates() []wire.MessageTemplate {
	all := make([]wire.MessageTemplate, len(templates))
	for i, t := range templates {
		all[i] = wire.MessageTemplate{TemplateID: wire.Text(strconv.Itoa(t.id)), TextTemplate: t.text, TitleTemplate: t.title}
	}
	return all
}
