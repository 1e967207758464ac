package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// attribute is a sysfs file with one number that is kept open, and read again
// from its start: seq_read_iter (fs/seq_file.c) shows the attribute anew for
// every read at offset 0. One pread, as a second at the end of the text would
// make the kernel ask the sensor again.
type attribute struct {
	path string
	fd   int
}

func openAttribute(path string) (attribute, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		switch {
		case err == nil:
			return attribute{path, fd}, nil
		case !errors.Is(err, unix.EINTR):
			return attribute{}, fmt.Errorf("%s: %w", path, meaning(err, ErrAbsent))
		}
	}
}

func (a attribute) close() error { return unix.Close(a.fd) }

// read returns the number in the file, using buf as scratch.
func (a attribute) read(buf []byte) (int64, error) {
	for {
		n, err := unix.Pread(a.fd, buf, 0)
		switch {
		case err == nil:
			v, ok := parseCount(buf[:n])
			if !ok {
				return 0, fmt.Errorf("%s: %w: %.40q", a.path, ErrMalformed, buf[:n])
			}
			return v, nil
		case !errors.Is(err, unix.EINTR):
			return 0, fmt.Errorf("%s: %w", a.path, meaning(err, ErrVanished))
		}
	}
}

// meaning puts an errno under the error of this package it stands for; missing
// is what the file's absence means. The errno stays visible to errors.Is.
func meaning(err, missing error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%w)", ErrPermission, err)
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w (%w)", missing, err)
	}
	return err
}

// parseCount reads a non-negative decimal number and perhaps a newline.
func parseCount(text []byte) (int64, bool) {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) == 0 || len(text) > 19 {
		return 0, false
	}
	var v int64
	for _, c := range text {
		c -= '0'
		if c > 9 || v > (1<<63-1-int64(c))/10 {
			return 0, false
		}
		v = v*10 + int64(c)
	}
	return v, true
}

// readNumber reads a number that does not change, and reports false if there is
// none.
func readNumber(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	return parseCount(text)
}

// readText reads a line that does not change, "" if there is none.
func readText(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// look brackets the reading of an attribute with the clock.
func look(clock energy.Clock, a attribute, buf []byte) (v int64, before, after energy.Instant, err error) {
	before = clock.Now()
	v, err = a.read(buf)
	return v, before, clock.Now(), err
}
