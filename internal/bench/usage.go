package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: Linux fixes it for programs at 100 a second.
const tick = 10 * time.Millisecond

// A party is a process whose share in a measurement is told apart.
type party struct {
	name   string
	pid    int
	family bool // with its children
}

// self is this process: it makes the load, and plays the platform.
func self() party { return party{name: "load and platform", pid: os.Getpid()} }

// A meter measures what processor time the parties use, and what everybody else does.
type meter struct {
	parties []party
	used    []time.Duration // of each party
	machine time.Duration
}

func startMeter(parties ...party) (m meter, err error) {
	m.parties, m.used = parties, make([]time.Duration, len(parties))
	return m, m.since(m)
}

// stop makes what is used until now what was used since the start.
func (m *meter) stop() error { return m.since(*m) }

// since reads the time used since an earlier reading.
func (m *meter) since(before meter) error {
	for i, p := range m.parties {
		now, err := p.cpu()
		if err != nil {
			return err
		}
		m.used[i] = now - before.used[i]
	}
	now, err := machineCPU()
	m.machine = now - before.machine
	return err
}

// rows reports the processor time of each party for each of n operations, the first of which
// may have a bar, and the share that nobody here has used: with company, figures are lower.
func (m *meter) rows(rep *report, n int, bar string) {
	others := m.machine
	for i, p := range m.parties {
		rep.row("  CPU each, "+p.name, bar, "%.0f µs", perCall(m.used[i], n))
		others -= m.used[i]
		bar = ""
	}
	rep.row("  CPU that others used meanwhile", "", "%.0f %%", max(0, 100*float64(others)/float64(m.machine)))
}

func perCall(used time.Duration, calls int) float64 {
	return float64(used.Microseconds()) / float64(max(calls, 1))
}

// cpu is the processor time that the party has used, user and system.
func (p party) cpu() (time.Duration, error) {
	own, children, err := stat(p.pid)
	if err != nil || !p.family {
		return own, err
	}
	used := own + children
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.pid))
	if err != nil {
		return 0, err
	}
	for _, list := range lists {
		children, err := os.ReadFile(list) //nolint:gosec // under /proc
		if err != nil {
			continue // the thread has ended
		}
		for child := range strings.FieldsSeq(string(children)) {
			if pid, err := strconv.Atoi(child); err == nil {
				own, _, _ := stat(pid) // 0 if it has ended
				used += own
			}
		}
	}
	return used, nil
}

// stat is the processor time of a process, and of the children that it has outlived.
func stat(pid int) (own, children time.Duration, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := bytes.Cut(raw, []byte(") ")) // the name may hold spaces
	fields := strings.Fields(string(rest))
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("stat of process %d: %q", pid, raw)
	}
	if own, err = ticks(fields[11:13]); err == nil {
		children, err = ticks(fields[13:15])
	}
	return own, children, err
}

// machineCPU is the time that all processors have worked.
func machineCPU() (time.Duration, error) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat: %.80q", raw)
	}
	worked := append(fields[1:4:4], fields[6:9]...) // without idle and waiting for the disk
	return ticks(worked)
}

func ticks(fields []string) (sum time.Duration, err error) {
	for _, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

// memory is the resident memory of a process in MiB.
func memory(pid int) (float64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, ok := strings.Cut(string(raw), "VmRSS:")
	if !ok {
		return 0, fmt.Errorf("status of process %d has no VmRSS", pid)
	}
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	return kib / 1024, err
}
