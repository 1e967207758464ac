package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"greenagent/exporter/prose"
	"greenagent/exporter/report"
	"greenagent/exporter/runfile"
	"greenagent/supervise"
)

// tell writes the record and the report where they were asked for. What cannot be
// written there goes to a place where it can: the run is over, and cannot be
// measured again.
func (m *measurement) tell(r runfile.Run) {
	p, o := m.program, m.options
	var files []string
	lost := false
	if o.json != "" && o.json != "-" {
		err := closedStream(o.json)
		if err != nil {
			err = fmt.Errorf("run file %s: %w", o.json, err)
		} else {
			err = runfile.WriteFile(o.json, r)
		}
		if err == nil {
			files = append(files, o.json)
		} else if kept, ok := m.keep(err, r); ok {
			files = append(files, kept)
		} else {
			lost = true
		}
	}
	told := false
	if o.reportTo != "" {
		err := closedStream(o.reportTo)
		if err == nil {
			err = runfile.Place(o.reportTo, func(w io.Writer) error { return report.Write(w, r, files...) })
		}
		if told = err == nil; !told {
			p.say("report: %s: %v; it follows here", o.reportTo, err)
		}
	}
	if o.json == "-" {
		err := closedStream("/dev/stdout")
		if err == nil {
			err = runfile.Encode(p.stdout, r)
		}
		if err != nil {
			kept, ok := m.keep(fmt.Errorf("standard output: %w", err), r)
			if ok {
				files = append(files, kept)
			}
			lost = lost || !ok
		}
	}
	// A record that is nowhere leaves the report as all there is of the run.
	wanted := !o.quiet && o.reportTo == "" || o.reportTo != "" && !told
	if wanted || lost {
		// A standard error that cannot be written to leaves nobody to tell.
		_ = report.Write(p.stderr, r, files...)
	}
}

// closedStream returns an error for a file that is a standard stream which greenagent was
// started without: something is open in its place, and nobody reads it.
func closedStream(path string) error {
	if fd, ok := runfile.Descriptor(path); ok && fd < 3 && supervise.Closed(fd) {
		return errClosed
	}
	return nil
}

var errClosed = errors.New("greenagent was started without it (as by >&-)")

// keep writes the record to a temporary file, as it could not be written where it
// was asked for, and says so. It returns false if that fails too.
func (m *measurement) keep(because error, r runfile.Run) (path string, ok bool) {
	path, err := temporary(m.options.id, r)
	if err != nil {
		m.program.say("%v; nor could it be kept elsewhere: %v", because, err)
		return "", false
	}
	m.program.say("%v; the record is in %s", because, path)
	return path, true
}

// temporary writes the record to a new file in the temporary folder. The folder is
// everybody's: what somebody else left there under a name is not touched.
func temporary(id string, r runfile.Run) (path string, err error) {
	f, err := os.CreateTemp("", "greenagent-"+prose.Shorten(filepath.Base(id), 40)+"-*.json")
	if err != nil {
		return "", err
	}
	for _, err := range []error{runfile.Encode(f, r), f.Close()} {
		if err != nil {
			_ = os.Remove(f.Name()) // half a record; the failure before it counts
			return "", err
		}
	}
	return f.Name(), nil
}
