package control

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Snapshots are states of the world that are kept by name. Errors name what is wrong with the
// request.
type Snapshots interface {
	TakeSnapshot(name string) error
	RestoreSnapshot(name string) error
	DropSnapshot(name string) bool
	Snapshots() []string // in order
}

// addSnapshots declares the operations on snapshots.
func (a *api) addSnapshots(h huma.API) {
	add(h, http.MethodGet, "/snapshots", "The snapshots; they outlive a reset", a.getSnapshots)
	add(h, http.MethodPost, "/snapshots/{name}", "Keep everything as it is now: users, payments, orders, clock, chance, faults, settings, journal", a.takeSnapshot)
	add(h, http.MethodPost, "/snapshots/{name}/restore", "Go back to a snapshot", a.restoreSnapshot)
	add(h, http.MethodDelete, "/snapshots/{name}", "Forget a snapshot", a.dropSnapshot)
}

type (
	snapshotsAnswer struct {
		Body struct {
			Snapshots []string `json:"snapshots"`
		}
	}
	snapshotQuery struct {
		Name string `path:"name" minLength:"1" maxLength:"64" pattern:"^[0-9A-Za-z._-]*$"`
	}
)

func (a *api) getSnapshots(context.Context, *none) (*snapshotsAnswer, error) {
	answer := &snapshotsAnswer{}
	answer.Body.Snapshots = append([]string{}, a.Snapshots.Snapshots()...)
	return answer, nil
}

func (a *api) takeSnapshot(_ context.Context, in *snapshotQuery) (*none, error) {
	if err := a.Snapshots.TakeSnapshot(in.Name); err != nil {
		return nil, huma.Error409Conflict(err.Error())
	}
	return nil, nil
}

func (a *api) restoreSnapshot(_ context.Context, in *snapshotQuery) (*none, error) {
	if err := a.Snapshots.RestoreSnapshot(in.Name); err != nil {
		return nil, huma.Error404NotFound(err.Error())
	}
	return nil, nil
}

func (a *api) dropSnapshot(_ context.Context, in *snapshotQuery) (*none, error) {
	if !a.Snapshots.DropSnapshot(in.Name) {
		return nil, huma.Error404NotFound("there is no snapshot " + in.Name)
	}
	return nil, nil
}
