package main

import (
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"

	"greenagent/exporter/runfile"
)

// grace is how long the report goes on once somebody asks greenagent to end, after
// the command has ended: what is not stuck is done by then.
const grace = 500 * time.Millisecond

// unlessAsked reports, and leaves that behind if an interrupt or a request to end
// arrives meanwhile: the command has ended, and nothing else needs to be waited for.
// The program is expected to exit then.
func unlessAsked(report func()) {
	asked := make(chan os.Signal, 1)
	for _, sig := range []os.Signal{unix.SIGINT, unix.SIGTERM} {
		if !signal.Ignored(sig) { // by nohup and the like
			signal.Notify(asked, sig)
		}
	}
	defer signal.Stop(asked)
	done := make(chan struct{})
	go func() {
		defer close(done)
		report()
	}()
	select {
	case <-done:
		return
	case <-asked:
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// unhurried returns what writes to w without waiting for a reader for good, and
// without stopping for a terminal.
func unhurried(w io.Writer) io.Writer {
	f, ok := w.(*os.File)
	if !ok {
		return w
	}
	s, err := runfile.NewStream(f)
	if err != nil {
		return w // not open: writing says so
	}
	return s
}
