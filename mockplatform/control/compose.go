package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	wire "github.com/partnerkit/partnerkit/contract/integra"
	"github.com/partnerkit/partnerkit/mockplatform/integra"
)

type (
	composeRequest struct {
		Body struct {
			Method string            `json:"method" example:"confirmPayment"`
			Hash   string            `json:"hash" doc:"The partner's or the user's, as the method wants it"`
			Args   map[string]any    `json:"args,omitempty" doc:"Before they are sealed"`
			Query  map[string]string `json:"query,omitempty" doc:"Plain parameters, such as r of cryptLogin"`
		}
	}
	composeAnswer struct {
		Body struct {
			URL  string `json:"url"`
			Curl string `json:"curl" doc:"The same as a command"`
		}
	}
)

func (a *api) compose(_ context.Context, in *composeRequest) (*composeAnswer, error) {
	args, err := json.Marshal(in.Body.Args)
	if err != nil {
		return nil, invalid("body.args", err)
	}
	if in.Body.Args == nil {
		args = []byte("{}")
	}
	query := url.Values{}
	for name, value := range in.Body.Query {
		query.Set(name, value)
	}
	path, err := a.Integra.Compose(wire.Method(in.Body.Method), in.Body.Hash, args, query)
	var field *integra.FieldError
	if errors.As(err, &field) {
		return nil, invalid("body."+field.Field, errors.New(field.Why))
	}
	answer := &composeAnswer{}
	answer.Body.URL = a.PlatformURL + path
	answer.Body.Curl = "curl -X POST '" + strings.ReplaceAll(answer.Body.URL, "'", "%27") + "'"
	return answer, err
}
