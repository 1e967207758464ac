package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

//go:embed load/__main__.py load/cuda.py load/nvml.py load/schedule.py load/training.py load/burn.ptx
var scripts embed.FS

// prepare builds greenagent, looks what GPUs there are and chooses one.
func (s *session) prepare(ctx context.Context) error {
	if err := os.CopyFS(s.folder, scripts); err != nil {
		return err
	}
	if _, err := exec.LookPath("python3"); err != nil {
		return fmt.Errorf("%w: install Python 3", err)
	}
	s.binary = filepath.Join(s.folder, "greenagent")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", s.binary, "greenagent/cmd/greenagent").CombinedOutput(); err != nil {
		return fmt.Errorf("build greenagent (run this from the repository's root): %w\n%s", err, out)
	}
	var stderr strings.Builder
	cmd := s.python(ctx, nil, "probe")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("look for GPUs: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if err := json.Unmarshal(out, &s.report); err != nil {
		return fmt.Errorf("look for GPUs: %w", err)
	}
	s.report.describe()
	return s.choose()
}

// choose takes the GPU to load.
func (s *session) choose() error {
	for _, g := range s.report.GPUs {
		switch {
		case s.gpu != "" && g.UUID != s.gpu, s.gpu == "" && (g.Partitioned || g.Processes > 0):
			continue
		case g.Partitioned:
			return fmt.Errorf("%s is partitioned (MIG): sudo nvidia-smi -mig 0 ends that, or name another with --gpu", g.UUID)
		}
		s.report.GPU = g
		if g.Processes > 0 {
			s.report.warn("%d other processes were on the GPU: its figures hold their energy", g.Processes)
		}
		s.say("%s, %s", g.Name, g.UUID)
		return nil
	}
	switch {
	case len(s.report.GPUs) == 0:
		return errors.New("the driver finds no GPU; nvidia-smi says more")
	case s.gpu != "":
		return fmt.Errorf("no GPU %s; there are: %s", s.gpu, s.report.uuids())
	}
	return fmt.Errorf("every GPU is in use or partitioned: name one all the same with --gpu: %s", s.report.uuids())
}

// conformance asks the driver what every NVML library must answer.
func (s *session) conformance(ctx context.Context) {
	if s.before != nil || s.only != "" {
		s.report.warn("the conformance suite was not run")
		return
	}
	s.say("conformance of the driver, some 30 s")
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	only := "^TestDriver$/^(devices|" + regexp.QuoteMeta(s.report.GPU.UUID) + ")$"
	cmd := exec.CommandContext(ctx, "go", "test", "-count", "1", "-v", "-run", only, "greenagent/nvml/conformance")
	cmd.Env = append(os.Environ(), "GREENAGENT_TEST_GPU=1")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	s.report.Conformance = string(out)
	if err != nil {
		s.report.warn("the driver does not conform, see below: %v", err)
	}
}

// doctor keeps what greenagent itself says of the machine.
func (s *session) doctor(ctx context.Context) {
	for _, d := range []struct {
		to   *json.RawMessage
		args []string
	}{
		{&s.report.Doctor, []string{"doctor", "--json"}},
		{&s.report.Characteristics, []string{"doctor", "characterise", "--json", "--state-dir", filepath.Join(s.folder, "state")}},
	} {
		s.say("greenagent %s", strings.Join(d.args[:2], " "))
		ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
		cmd := exec.CommandContext(ctx, s.binary, append(d.args, "--nvml-library", s.nvml)...)
		if s.before != nil {
			environment, _ := s.before(load{})
			cmd.Env = append(os.Environ(), environment...)
		}
		out, err := cmd.Output() // it fails as well if there is something to mend
		cancel()
		if !json.Valid(out) || len(out) == 0 {
			s.report.warn("greenagent %s: %v", strings.Join(d.args, " "), err)
			continue
		}
		*d.to = out
	}
}

// describe notes the machine.
func (r *report) describe() {
	r.Schema, r.At, r.Go = "greenagent.hardware/1", time.Now().UTC().Truncate(time.Second), runtime.Version()
	if text, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		r.Kernel = strings.TrimSpace(string(text))
	}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				r.CPU = strings.Trim(name, "\t :\n")
				break
			}
		}
	}
	if out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(out))
	}
}
