package contract

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Apart moves the run into a namespace of the target's stand-in, which nobody else uses: its
// settings, its clock and its journal are the run's alone, so that several runs can share one
// stand-in. The target's partner, merchant and shop are made known there. It changes the
// target's addresses, and returns how to leave.
//
// Where that is not possible it changes nothing: without a control API, where the stand-in
// has no namespaces, and with an adapter that runs already, since that looks at an address
// that the suite cannot change.
func Apart(ctx context.Context, target *Target) (leave func(context.Context) error, err error) {
	stay := func(context.Context) error { return nil }
	address := target.StandIn.Control
	if target.Platform != nil {
		address = target.Platform.Control
	}
	if address == "" || target.Adapter != nil && target.Adapter.Start == nil {
		return stay, nil
	}
	first := newControl(address)
	defer first.close()
	var refusal *controlError
	switch err := first.do(ctx, http.MethodGet, "/ns", nil, nil); {
	case errors.As(err, &refusal):
		return stay, nil
	case err != nil:
		return nil, err
	}
	name := "contract-" + strings.ToLower(rand.Text())
	if target.Platform != nil {
		p := target.Platform.within(name)
		target.Platform = p
		address = p.Control
	} else {
		target.StandIn.URL, target.StandIn.Control = within(target.StandIn.URL, name), within(address, name)
		address = target.StandIn.Control
	}
	leave = func(ctx context.Context) error {
		defer first.close()
		return first.do(ctx, http.MethodDelete, "/ns/"+name, nil, nil)
	}
	world := newControl(address)
	defer world.close()
	if err := introduce(ctx, world, target.Platform); err != nil {
		return nil, errors.Join(fmt.Errorf("namespace %s: %w", name, err), leave(context.WithoutCancel(ctx)))
	}
	return leave, nil
}

// within is an address inside a namespace.
func within(address, namespace string) string {
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return address
	}
	u.Path, u.RawPath = "/ns/"+namespace+u.Path, ""
	return u.String()
}

// within is the platform inside a namespace.
func (p *PlatformTarget) within(namespace string) *PlatformTarget {
	moved := *p
	moved.Control = within(p.Control, namespace)
	if p.Integra != nil {
		i := *p.Integra
		i.URL, moved.Integra = within(i.URL, namespace), &i
	}
	if p.AnyMoney != nil {
		a := *p.AnyMoney
		a.URL, a.SCIURL, moved.AnyMoney = within(a.URL, namespace), within(a.SCIURL, namespace), &a
	}
	if p.Robokassa != nil {
		r := *p.Robokassa
		r.URL, moved.Robokassa = within(r.URL, namespace), &r
	}
	return &moved
}

// introduce makes the platform's partner, merchant and shop known in a new world.
func introduce(ctx context.Context, world *control, p *PlatformTarget) error {
	if p == nil {
		return world.do(ctx, http.MethodGet, "/healthz", nil, nil) // the partner of an adapter is made known by Run
	}
	var errs []error
	if p.Integra != nil {
		errs = append(errs, world.partner(ctx, p.Integra.Partner))
	}
	if a := p.AnyMoney; a != nil {
		keys := map[string]string{"api_key": a.Key}
		if a.SCIKey != "" {
			keys["sci_key"] = a.SCIKey
		}
		errs = append(errs, world.do(ctx, http.MethodPatch, "/anymoney/config", map[string]any{"merchants": map[string]any{a.Merchant: keys}}, nil))
	}
	if p.Robokassa != nil {
		errs = append(errs, world.shop(ctx, p.Robokassa))
	}
	return errors.Join(errs...)
}

// shop makes a shop known.
func (c *control) shop(ctx context.Context, r *RobokassaTarget) error {
	return c.do(ctx, http.MethodPut, "/robokassa/shops/"+url.PathEscape(r.Login), map[string]string{
		"password1": r.Password1, "password2": r.Password2, "password3": r.Password3,
		"test_password1": r.TestPassword1, "test_password2": r.TestPassword2, "hash": r.Hash,
	}, nil)
}
