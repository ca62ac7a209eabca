package integra

import (
	"hash/maphash"
	"sync"
)

// index is a map from names to things that many requests read and write at once: it is cut
// into parts with a lock each. The zero index is not ready; see newIndex.
type index[V any] struct {
	seed  maphash.Seed
	parts [16]struct {
		sync.RWMutex
		m map[string]V
	}
}

func newIndex[V any]() *index[V] {
	x := &index[V]{seed: maphash.MakeSeed()}
	for i := range x.parts {
		x.parts[i].m = map[string]V{}
	}
	return x
}

func (x *index[V]) part(name string) int {
	return int(maphash.String(x.seed, name) % uint64(len(x.parts)))
}

// get returns the thing of that name, or the zero V.
func (x *index[V]) get(name string) V {
	part := &x.parts[x.part(name)]
	part.RLock()
	defer part.RUnlock()
	return part.m[name]
}

// add reports whether the name was free and is now v's.
func (x *index[V]) add(name string, v V) bool {
	part := &x.parts[x.part(name)]
	part.Lock()
	defer part.Unlock()
	if _, taken := part.m[name]; taken {
		return false
	}
	part.m[name] = v
	return true
}

func (x *index[V]) remove(name string) {
	part := &x.parts[x.part(name)]
	part.Lock()
	defer part.Unlock()
	delete(part.m, name)
}

// all returns everything, in no order.
func (x *index[V]) all() []V {
	var all []V
	for i := range x.parts {
		part := &x.parts[i]
		part.RLock()
		for _, v := range part.m {
			all = append(all, v)
		}
		part.RUnlock()
	}
	return all
}
