package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// labels is the value of a flag that may be given more than once, each time with
// key=value, or with several of them as fields of CSV. A key given twice is a
// mistake: which one counts?
type labels map[string]string

// repeatable is the name of its type, as of pflag's own.
const repeatable = "stringToString"

// String implements pflag.Value.
func (l *labels) String() string { return "" }

// Type implements pflag.Value.
func (l *labels) Type() string { return repeatable }

// Set implements pflag.Value.
func (l *labels) Set(text string) error {
	fields := []string{strings.Trim(text, `"`)} // quoted, as one field
	if strings.Count(text, "=") > 1 {
		var err error
		if fields, err = csv.NewReader(strings.NewReader(text)).Read(); err != nil {
			return err
		}
	}
	if *l == nil {
		*l = labels{}
	}
	for _, field := range fields {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return errors.New("want name=value")
		}
		if _, twice := (*l)[key]; twice {
			return fmt.Errorf("%s is given twice", key)
		}
		(*l)[key] = value
	}
	return nil
}

// check refuses what no name is made of.
func (l labels) check() error {
	for key, value := range l {
		switch {
		case strings.TrimSpace(key) == "":
			return fmt.Errorf("%s=%s: want a name before the =", key, value)
		case strings.ContainsFunc(key+value, unicode.IsControl):
			return fmt.Errorf("%q: want no control characters", key+"="+value)
		}
	}
	return nil
}

// The bounds of a count of work, within which figures per unit stay numbers that
// can be read.
const (
	leastCount = 1e-12
	mostCount  = 1e18
)

// counts reads amounts of work.
func (l labels) counts() (map[string]float64, error) {
	counts := map[string]float64{}
	for name, text := range l {
		count, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil && !errors.Is(err, strconv.ErrRange) || !(count > 0):
			return nil, fmt.Errorf("%s=%s: want a number above 0, as in tokens=1.2e9", name, text)
		case !(count >= leastCount && count <= mostCount):
			return nil, fmt.Errorf("%s=%s: want a number from 1e-12 to 1e18", name, text)
		}
		counts[name] = count
	}
	return counts, nil
}
