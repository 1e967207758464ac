package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// logFlags say what is logged of what happens inside. By default a healthy run logs
// nothing, and what is wrong stands in its report.
type logFlags struct {
	level  string
	format string
}

func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "warn", "`LEVEL` from which to log on standard error: debug, info, warn or error")
	f.StringVar(&l.format, "log-format", "text", "`FORMAT` of the log: text or json")
}

// open returns the log.
func (l *logFlags) open(w io.Writer, from origins) (*slog.Logger, error) {
	var o slog.HandlerOptions
	switch l.level {
	case "debug":
		o.Level = slog.LevelDebug
	case "info":
		o.Level = slog.LevelInfo
	case "warn":
		o.Level = slog.LevelWarn
	case "error":
		o.Level = slog.LevelError
	default:
		return nil, fmt.Errorf("%s: %q: want debug, info, warn or error", from.of("log-level"), l.level)
	}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, &o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, &o)), nil
	}
	return nil, fmt.Errorf("%s: %q: want text or json", from.of("log-format"), l.format)
}

// lateBound writes to the writer that stands there when something is written.
type lateBound struct{ to *io.Writer }

func (l lateBound) Write(p []byte) (int, error) { return (*l.to).Write(p) }

// complaints remembers the first failure of a writer whose users do not look.
type complaints struct {
	io.Writer
	err error
}

func (c *complaints) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.err = errors.Join(c.err, err)
	return n, err
}
