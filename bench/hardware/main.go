// Hardware runs greenagent on a real GPU, beside readings that share no code with
// it, and writes what was seen into a report that can be shared:
//
//	go run ./bench/hardware
//
// It takes less than ten minutes and needs Go, a C compiler, Python 3 and an NVIDIA
// driver; CUDA's toolkit and PyTorch are not needed. Run it from the repository's
// root. See docs/hardware.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	out, gpu   string
	limit      time.Duration
	only       string
	nvml, cuda string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "hardware:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	o := options{}
	f := flag.NewFlagSet("hardware", flag.ContinueOnError)
	f.SetOutput(progress)
	f.StringVar(&o.out, "out", "", "`folder` for the report (default greenagent-hardware-HOST-DATE)")
	f.StringVar(&o.gpu, "gpu", "", "`UUID` of the GPU to load (default: the first that nobody uses)")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "`time` after which no further load is begun")
	f.StringVar(&o.only, "only", "", "only the loads whose name holds this `text`")
	f.StringVar(&o.nvml, "nvml-library", "libnvidia-ml.so.1", "`path` of the management library")
	f.StringVar(&o.cuda, "cuda-library", "libcuda.so.1", "`path` of the CUDA library")
	if err := f.Parse(args); err != nil {
		return err
	}
	if o.out == "" {
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		o.out = "greenagent-hardware-" + host + "-" + time.Now().Format("20060102")
	}
	folder, err := os.MkdirTemp("", "greenagent-hardware-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	s := &session{options: o, folder: folder, progress: progress, began: time.Now()}
	s.say("building greenagent")
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.conformance(ctx)
	s.doctor(ctx)
	s.loads(ctx, plan())
	s.report.Checks = check(s.report.Rows)
	if err := ctx.Err(); err != nil {
		s.report.warn("interrupted: what follows is missing")
	}
	if err := s.report.write(o.out); err != nil {
		return err
	}
	s.say("written: %s", filepath.Join(o.out, "report.md"))
	return ctx.Err()
}

// session is one go at one GPU.
type session struct {
	options
	folder   string // of temporary files
	binary   string // greenagent
	progress io.Writer
	began    time.Time
	report   report
	// before, if not nil, is told of a load about to run and returns what its
	// processes need in their environment, and when it is to begin on the monotonic
	// clock: a simulated GPU has to know beforehand.
	before func(load) (environment []string, epoch int64)
}

func (s *session) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%4.0f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// loads runs the loads, as far as time allows.
func (s *session) loads(ctx context.Context, list []load) {
	for _, l := range list {
		switch {
		case ctx.Err() != nil:
			return
		case !strings.Contains(l.Name, s.only):
			continue
		case l.train && s.report.Torch == "":
			s.report.warn("%s: not run, PyTorch with CUDA is not installed", l.Name)
			continue
		case time.Since(s.began)+l.length() > s.limit:
			s.report.warn("%s: not run, the time was up", l.Name)
			continue
		}
		s.say("%s", l.Name)
		row, err := s.measure(ctx, l)
		if err != nil {
			s.report.warn("%s: %v", l.Name, err)
			s.say("%s: %v", l.Name, err)
			continue
		}
		s.report.Rows = append(s.report.Rows, row)
	}
}
