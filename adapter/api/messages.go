package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/partnerkit/partnerkit/adapter"
)

// Message is one message of the platform to a user, as the API and the commands show it.
type Message struct {
	ID            string          `json:"id"`
	Login         string          `json:"login" doc:"The user's"`
	Type          string          `json:"type" example:"low_balance"`
	Title         string          `json:"title"`
	Text          string          `json:"text" doc:"HTML; its links lead to your panel, which passes r on to the page (--panel-link)"`
	Params        json.RawMessage `json:"params,omitempty" doc:"For the templates"`
	TemplateID    string          `json:"template_id"`
	TitleTemplate string          `json:"title_template" doc:"Mustache"`
	TextTemplate  string          `json:"text_template" doc:"Mustache, with links as in text"`
}

// ShowMessage returns a message as it is shown.
func ShowMessage(m adapter.Message) Message {
	return Message{
		ID: m.ID, Login: m.Login, Type: m.Type, Title: m.Title, Text: m.Text, Params: m.Params,
		TemplateID: m.TemplateID, TitleTemplate: m.TitleTemplate, TextTemplate: m.TextTemplate,
	}
}

type messages struct {
	Config
	once once
}

func (a *messages) mount(h huma.API) {
	huma.Register(h, operation("list-messages", http.MethodGet, "messages", ScopePaymentsRead, "messages",
		"Unread messages of the platform to all users", "They stay unread: see read-messages.", http.StatusBadGateway), a.all)
	huma.Register(h, operation("list-user-messages", http.MethodGet, "users/{hash}/messages", ScopePaymentsRead, "messages",
		"Unread messages of the platform to one user", "They stay unread: see read-messages.", http.StatusNotFound, http.StatusBadGateway), a.ofUser)
	huma.Register(h, operation("list-message-templates", http.MethodGet, "messages/templates", ScopePaymentsRead, "messages",
		"The platform's templates of messages", "", http.StatusBadGateway), a.templates)
	huma.Register(h, operation("read-messages", http.MethodPost, "messages/read", ScopeUsersWrite, "messages",
		"Mark messages as read", "", http.StatusConflict, http.StatusBadGateway), a.read)
}

type messagesAnswer struct {
	Body struct {
		Messages []Message `json:"messages"`
	}
}

func (a *messages) all(ctx context.Context, _ *struct{}) (*messagesAnswer, error) {
	return a.show(ctx, "")
}

func (a *messages) ofUser(ctx context.Context, in *OfUser) (*messagesAnswer, error) {
	return a.show(ctx, in.Hash)
}

func (a *messages) show(ctx context.Context, user string) (*messagesAnswer, error) {
	list, err := a.Users.Messages(ctx, user)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &messagesAnswer{}
	answer.Body.Messages = make([]Message, len(list))
	for i, m := range list {
		answer.Body.Messages[i] = ShowMessage(m)
	}
	return answer, nil
}

// MessageTemplate is the source of one kind of message.
type MessageTemplate struct {
	ID    string `json:"template_id"`
	Title string `json:"title_template" doc:"Mustache"`
	Text  string `json:"text_template" doc:"Mustache"`
}

type templatesAnswer struct {
	Body struct {
		Templates []MessageTemplate `json:"templates"`
	}
}

func (a *messages) templates(ctx context.Context, _ *struct{}) (*templatesAnswer, error) {
	list, err := a.Users.MessageTemplates(ctx)
	if err != nil {
		return nil, explain(ctx, a.Log, err)
	}
	answer := &templatesAnswer{}
	answer.Body.Templates = make([]MessageTemplate, len(list))
	for i, t := range list {
		answer.Body.Templates[i] = MessageTemplate{ID: t.ID, Title: t.Title, Text: t.Text}
	}
	return answer, nil
}

type readMessages struct {
	Keyed
	Body struct {
		IDs []string `json:"ids" minItems:"1" maxItems:"1000" pattern:"^[1-9][0-9]{0,17}$" doc:"As in the messages" example:"[\"17\",\"18\"]"`
	}
}

// Marked is the answer to read-messages.
type Marked struct {
	Marked int `json:"marked" doc:"How many of them were unread before"`
}

func (a *messages) read(ctx context.Context, in *readMessages) (*result[Marked], error) {
	ids := make([]int64, len(in.Body.IDs))
	for i, text := range in.Body.IDs {
		if err := json.Unmarshal([]byte(text), &ids[i]); err != nil { // the pattern lets only such through
			return nil, wrong("body.ids", "must be ids of messages", text)
		}
	}
	return perform(ctx, a.once, in.Key, "read-messages", in.Body, func(ctx context.Context, _ bool) (result[Marked], error) {
		n, err := a.Users.ReadMessages(ctx, ids)
		return result[Marked]{Status: http.StatusOK, Body: Marked{n}}, err
	})
}
