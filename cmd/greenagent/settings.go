package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// origins say where the value of a flag comes from, for those that were not given
// on the command line.
type origins map[string]string

// of names a setting as whoever made it knows it: by its flag, its environment
// variable or its line in the file.
func (o origins) of(flag string) string {
	if from, ok := o[flag]; ok {
		return from
	}
	return "--" + flag
}

// settle fills in the flags that were not given: from the environment, then
// from the configuration file. It returns where their values are from, and what the
// file says besides.
func settle(cmd *cobra.Command, config string) (origins, calibrations, error) {
	var outer around
	if cmd.Name() == "run" {
		outer = runAround("/proc")
	}
	passedOn := config == "" && outer.inherited(variable("config"))
	if config == "" {
		config = os.Getenv(variable("config"))
	}
	file, calibrated, err := readConfig(cmd.Root(), config)
	if err != nil {
		return nil, nil, &usageError{err, statusUsage}
	}
	from := origins{}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || f.Annotations[givenOnly] != nil || failed != nil {
			return
		}
		var values []string
		ours := !slices.Contains(ofOneRun, f.Name)
		// An empty variable is how many a deployment writes one that is not set.
		if value := os.Getenv(variable(f.Name)); value != "" && (ours || !outer.inherited(variable(f.Name))) {
			from[f.Name], values = "environment variable "+variable(f.Name), []string{value}
		} else if s, ok := file[f.Name]; ok && (ours || !passedOn) {
			from[f.Name], values = fmt.Sprintf("%s:%d: %s", config, s.line, f.Name), s.values
			if s.several && f.Value.Type() != repeatable {
				failed = fmt.Errorf("%s: want a single value", from[f.Name])
			}
		}
		for _, value := range values {
			if err := f.Value.Set(value); err != nil && failed == nil {
				// Without pflag's wording, which speaks of a command line.
				failed = fmt.Errorf("%s: %q: %w", from[f.Name], value, err)
			}
			f.Changed = true
		}
	})
	if failed != nil {
		return nil, nil, &usageError{failed, statusUsage}
	}
	return from, calibrated, nil
}

// givenOnly marks a flag that counts on the command line alone, as another
// subcommand has one of the same name that means something else.
const givenOnly = "given only"

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "GREENAGENT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setting is the value of a key and where it stands.
type setting struct {
	values  []string
	several bool // written as a list or a mapping, however short
	line    int
}

// readConfig reads a YAML file of settings: a mapping from flag names, of any
// subcommand, to scalars or, for repeatable flags, lists of scalars; and, under
// calibrationKey, calibrations.
func readConfig(root *cobra.Command, path string) (map[string]setting, calibrations, error) {
	if path == "" {
		return nil, nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil, nil // an empty file sets nothing
	} else if err != nil {
		return nil, nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	if err := decoder.Decode(&second); err == nil {
		return nil, nil, fmt.Errorf("%s:%d: a second document; want one document with all settings", path, second.Line)
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, nil, fmt.Errorf("%s:%d: want a mapping from flag names to values, as zone: FR", path, top.Line)
	}
	known := flagNames(root)
	settings := map[string]setting{}
	var calibrated calibrations
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if !known[key.Value] && key.Value != calibrationKey {
			return nil, nil, fmt.Errorf("%s:%d: unknown key %q; keys are the names of flags without their dashes, and "+calibrationKey, path, key.Line, key.Value)
		}
		if _, twice := settings[key.Value]; twice {
			return nil, nil, fmt.Errorf("%s:%d: %q is set twice", path, key.Line, key.Value)
		}
		if key.Value == calibrationKey {
			settings[key.Value] = setting{line: key.Line} // seen
			if calibrated, err = readCalibrations(value); err != nil {
				return nil, nil, fmt.Errorf("%s:%w", path, err)
			}
			continue
		}
		s, err := readSetting(value)
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%d: %s: %w", path, s.line, key.Value, err)
		}
		settings[key.Value] = s
	}
	return settings, calibrated, nil
}

// readSetting reads a scalar; or, for repeatable flags, a list of scalars or a
// mapping, which is the same as a list of key=value. Its line is set on failure
// too.
func readSetting(value *yaml.Node) (setting, error) {
	s := setting{line: value.Line, several: true}
	switch value.Kind {
	case yaml.ScalarNode:
		s.several = false
		text, err := scalar(value)
		s.values = append(s.values, text)
		return s, err
	case yaml.SequenceNode:
		for _, item := range value.Content {
			text, err := scalar(item)
			if err != nil {
				s.line = item.Line
				return s, err
			}
			s.values = append(s.values, text)
		}
		return s, nil
	case yaml.MappingNode:
		for i := 0; i+1 < len(value.Content); i += 2 {
			key, item := value.Content[i], value.Content[i+1]
			text, err := scalar(item)
			if err != nil {
				s.line = item.Line
				return s, err
			}
			s.values = append(s.values, pair(key.Value, text))
		}
		return s, nil
	}
	return s, errors.New("want a single value, written out")
}

func scalar(n *yaml.Node) (string, error) {
	switch {
	case n.Kind != yaml.ScalarNode:
		return "", errors.New("want a single value")
	case n.Tag == "!!null":
		return "", errors.New("want a value; leave the key out to set nothing")
	}
	return n.Value, nil
}

// pair writes key=value as pflag reads it: as it is, or as a field of CSV if there
// is a further =.
func pair(key, value string) string {
	text := key + "=" + value
	if strings.Count(text, "=") == 1 {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
}

// flagNames returns the names of all flags of all subcommands.
func flagNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	for _, cmd := range commands(root) {
		note := func(f *pflag.Flag) { names[f.Name] = f.Name != "help" && f.Name != "config" }
		cmd.Flags().VisitAll(note)
		cmd.PersistentFlags().VisitAll(note)
	}
	return names
}

// commands returns a command and all below it.
func commands(root *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{root}
	for _, cmd := range root.Commands() {
		list = append(list, commands(cmd)...)
	}
	return list
}
