package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"greenagent/energy"
	"greenagent/exporter/runfile"
)

const (
	// margin is how long the GPU is watched before and after.
	margin = 400 * ms
	// lead is what several processes have to get ready.
	lead = 3 * time.Second
)

// row is what was seen of one load. Energies are of the loaded GPU over the run.
type row struct {
	Load     string          `json:"load"`
	Kind     string          `json:"kind"`
	Start    time.Time       `json:"start"`
	Duration runfile.Seconds `json:"duration_s"`
	Busy     runfile.Seconds `json:"busy_s"` // as planned
	// Greenagent is its record of the GPU.
	Greenagent runfile.Domain `json:"greenagent"`
	// Counter is the counter's difference as seen by the other process, and how far
	// that may be off; Power is mean power times time. Null where there is none.
	Counter      *energy.Energy           `json:"counter_j"`
	CounterBound *energy.Energy           `json:"counter_bound_j"`
	Power        *energy.Energy           `json:"power_j"`
	Parties      map[string]energy.Energy `json:"parties_j"`
	// CPU is greenagent's own CPU time as a part of a core, NVML's time in it.
	CPU      float64  `json:"greenagent_cpu"`
	Warnings []string `json:"warnings"`
}

// event is a line of what the load tells.
type event struct {
	Party string  `json:"party"`
	PID   int     `json:"pid"`
	Event string  `json:"event"`
	Late  float64 `json:"late_s"`
}

func (s *session) python(ctx context.Context, environment []string, args ...string) *exec.Cmd {
	args = append([]string{filepath.Join(s.folder, "load"), "--nvml", s.nvml, "--cuda", s.cuda}, args...)
	cmd := exec.CommandContext(ctx, "python3", args...)
	cmd.Env = append(os.Environ(), environment...)
	cmd.Env = append(cmd.Env, "PYTHONDONTWRITEBYTECODE=1")
	return cmd
}

// measure runs greenagent around one load while the GPU is watched.
func (s *session) measure(ctx context.Context, l load) (row, error) {
	var environment []string
	var epoch int64
	if s.before != nil {
		environment, epoch = s.before(l)
	} else if len(l.parties) > 1 {
		epoch = monotonic() + int64(margin+lead)
	}
	plan, err := json.Marshal(map[string]any{"uuid": s.report.GPU.UUID, "epoch_ns": epoch, "train": l.train, "parties": l.parties})
	if err != nil {
		return row{}, err
	}
	path := func(name string) string { return filepath.Join(s.folder, name) }
	if err := os.WriteFile(path("plan"), plan, 0o600); err != nil {
		return row{}, err
	}
	_ = os.Remove(path("events")) // there may be none
	w, err := s.watch(ctx, environment)
	if err != nil {
		return row{}, err
	}
	time.Sleep(margin)
	inner := s.python(ctx, environment, "load", path("plan"), path("events"))
	args := []string{"run", "--quiet", "--state-dir", path("state"), "--nvml-library", s.nvml, "--json", path("record"), "--"}
	cmd := exec.CommandContext(ctx, s.binary, append(args, inner.Args...)...)
	cmd.Env = inner.Env
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // which it hands on
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		w.stop()
		return row{}, err
	}
	cost := costOf(cmd.Process.Pid)
	failed := cmd.Wait()
	spent := cost()
	time.Sleep(margin)
	looks := w.stop()
	if failed != nil {
		return row{}, fmt.Errorf("%w: %s", failed, strings.TrimSpace(said.String()))
	}
	var record runfile.Run
	text, err := os.ReadFile(path("record"))
	if err == nil {
		err = json.Unmarshal(text, &record)
	}
	if err != nil {
		return row{}, fmt.Errorf("greenagent's record: %w", err)
	}
	r := row{Load: l.Name, Kind: l.as, Start: record.Start, Duration: record.Duration, Busy: runfile.Seconds(l.on()), CPU: spent, Warnings: record.Warnings}
	err = r.fill(s.report.GPU.UUID, record, looks, path("events"))
	return r, err
}

// fill takes what belongs to the loaded GPU from the record and the looks.
func (r *row) fill(uuid string, record runfile.Run, looks []look, events string) error {
	found := false
	for _, d := range record.Domains {
		if d.ID == "gpu:"+uuid {
			r.Greenagent, found = d, true
		}
	}
	if !found || r.Greenagent.Energy == nil {
		return fmt.Errorf("greenagent has no figure of %s: %v", uuid, record.Missing)
	}
	start, end := record.Start, record.Start.Add(time.Duration(record.Duration))
	if e, bound, ok := counted(looks, start, end); ok {
		r.Counter, r.CounterBound = &e, &bound
	}
	if e, ok := powered(looks, start, end); ok {
		r.Power = &e
	}
	text, err := os.ReadFile(events)
	if err != nil {
		return fmt.Errorf("the load says nothing: %w", err)
	}
	r.Parties = map[string]energy.Energy{}
	for line := range bytes.Lines(text) {
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("events of the load: %w", err)
		}
		if e.Event == "ended" && e.Late > 0.1 {
			r.Warnings = append(r.Warnings, fmt.Sprintf("%s began %.1f s late", e.Party, e.Late))
		}
		if e.Event != "started" {
			continue
		}
		r.Parties[e.Party] = 0 // unless the record knows of it
		for _, p := range record.Processes {
			if p.PID == e.PID {
				r.Parties[e.Party] = p.Energy[r.Greenagent.ID]
			}
		}
	}
	return nil
}
