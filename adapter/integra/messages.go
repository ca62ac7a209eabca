package integra

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"strings"

	"github.com/partnerkit/partnerkit/adapter"
	"github.com/partnerkit/partnerkit/contract/integra"
)

// screenPlace stands for the screen in a panel link.
const screenPlace = "{r}"

// CheckPanelLink takes an http(s) address or a path of the panel that has a place for the
// screen; "" is no link at all.
func CheckPanelLink(link string) error {
	if link == "" {
		return nil
	}
	u, err := url.Parse(strings.ReplaceAll(link, screenPlace, "screen"))
	switch {
	case !strings.Contains(link, screenPlace):
		return fmt.Errorf("%q has no %s, which stands for the screen", link, screenPlace)
	case err != nil || u.Scheme != "http" && u.Scheme != "https" && (u.Scheme != "" || !strings.HasPrefix(link, "/")):
		return fmt.Errorf("%q is neither an http(s) address nor a path that begins with a slash", link)
	case u.Scheme != "" && u.Host == "":
		return errors.New("it has no host")
	}
	return nil
}

// MaxMessageIDs bounds the messages that are marked as read by one call.
const MaxMessageIDs = 1000

// Messages returns the unread messages to a user, or to all users if user is "". The templates
// of links in them are replaced by addresses in the partner's panel. They stay unread.
func (u *Users) Messages(ctx context.Context, user string) ([]adapter.Message, error) {
	args := integra.MessagesArgs{Partner: u.client.cfg.Partner.Hash}
	var (
		data integra.MessagesResult
		err  error
	)
	if user == "" {
		data, err = askPartner[integra.MessagesResult](ctx, u.client, integra.GetMessages, u.client.cfg.Partner.Hash, args)
	} else {
		var cred integra.Credentials
		if cred, err = u.client.keys.credentials(ctx, user); err == nil {
			data, err = ask[integra.MessagesResult](ctx, u.client, integra.GetUserMessages, cred, args)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("messages: %w", err)
	}
	list := make([]adapter.Message, len(data.Messages))
	for i, m := range data.Messages {
		list[i] = adapter.Message{
			ID: string(m.ID), Login: m.UserLogin, Type: m.Type, Title: m.Title, Text: u.withLinks(m.Text), Params: m.Params,
			TemplateID: string(m.TemplateID), TitleTemplate: m.TitleTemplate, TextTemplate: u.withLinks(m.TextTemplate),
		}
	}
	return list, nil
}

// withLinks replaces the templates of links in the HTML of a message.
func (u *Users) withLinks(text string) string {
	link := u.client.cfg.PanelLink
	if link == "" {
		return text
	}
	return integra.ReplaceLinks(text, func(d integra.Deeplink) string {
		return html.EscapeString(strings.ReplaceAll(link, screenPlace, url.QueryEscape(string(d))))
	})
}

// MessageTemplates returns the platform's templates of messages, with links as in Messages.
func (u *Users) MessageTemplates(ctx context.Context) ([]adapter.MessageTemplate, error) {
	data, err := askPartner[integra.MessageTemplatesResult](ctx, u.client, integra.GetMessageTemplates, u.client.cfg.Partner.Hash, u.client.asPartner())
	if err != nil {
		return nil, fmt.Errorf("message templates: %w", err)
	}
	list := make([]adapter.MessageTemplate, len(data.Messages))
	for i, t := range data.Messages {
		list[i] = adapter.MessageTemplate{ID: string(t.TemplateID), Title: t.TitleTemplate, Text: u.withLinks(t.TextTemplate)}
	}
	return list, nil
}

// ReadMessages marks messages as read and returns how many of them were not before. It can be
// repeated. Ids are positive; there are 1 to MaxMessageIDs of them.
func (u *Users) ReadMessages(ctx context.Context, ids []int64) (marked int, err error) {
	if len(ids) == 0 || len(ids) > MaxMessageIDs {
		return 0, fmt.Errorf("%w: ids: want 1 to %d, got %d", adapter.ErrInvalid, MaxMessageIDs, len(ids))
	}
	for _, id := range ids {
		if id <= 0 {
			return 0, fmt.Errorf("%w: ids: %d is not positive", adapter.ErrInvalid, id)
		}
	}
	form := url.Values{integra.ParamIDs: {integra.MessageIDs(ids)}}
	data, err := askPartner[integra.ReadMessagesResult](ctx, u.client, integra.ReadMessages, u.client.cfg.Partner.Hash,
		withForm{u.client.asPartner(), form})
	if err != nil {
		return 0, fmt.Errorf("read messages: %w", err)
	}
	return data.Success, nil
}

// withForm are arguments of a call that has a form in its body as well.
type withForm struct {
	args any
	form url.Values
}

// body is what a call has beside its address: for nearly all of them nothing.
func body(args any) (inAddress any, header map[string]string, form []byte) {
	if f, ok := args.(withForm); ok {
		return f.args, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, []byte(f.form.Encode())
	}
	return args, nil, nil
}
