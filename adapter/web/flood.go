package web

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// floodLimit is how many warnings of one kind a second are worth reading.
const floodLimit = 50

// SampleFloods lets through the first warnings of each message in each second, and then, with
// the next one that it lets through, says how many it left out: strangers who are turned away
// by the thousand must not fill the disk. Other levels pass untouched: each of their lines is
// about money.
func SampleFloods(h slog.Handler, now func() time.Time) slog.Handler {
	return sampler{h, &floods{now: now, byMessage: map[string]*flood{}}}
}

type sampler struct {
	slog.Handler
	floods *floods
}

// floods is shared by all loggers that come from one.
type floods struct {
	now       func() time.Time
	mu        sync.Mutex
	byMessage map[string]*flood // messages are constants, so there are few
}

type flood struct {
	second  int64
	n, left int
}

// Handle is part of slog.Handler.
func (s sampler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level != slog.LevelWarn {
		return s.Handler.Handle(ctx, r)
	}
	pass, left := s.floods.count(r.Message)
	if !pass {
		return nil
	}
	if left > 0 {
		r.AddAttrs(slog.Int("left_out", left))
	}
	return s.Handler.Handle(ctx, r)
}

// count counts a warning, and returns whether it passes and how many did not before it.
func (f *floods) count(message string) (pass bool, left int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.byMessage[message]
	if m == nil {
		m = &flood{}
		f.byMessage[message] = m
	}
	if second := f.now().Unix(); second != m.second {
		m.second, m.n = second, 0
	}
	if m.n++; m.n > floodLimit {
		m.left++
		return false, 0
	}
	left, m.left = m.left, 0
	return true, left
}

// WithAttrs is part of slog.Handler.
func (s sampler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sampler{s.Handler.WithAttrs(attrs), s.floods}
}

// WithGroup is part of slog.Handler.
func (s sampler) WithGroup(name string) slog.Handler {
	return sampler{s.Handler.WithGroup(name), s.floods}
}
