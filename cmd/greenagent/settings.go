package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// settle fills in the flags that were not given: from the environment, then
// from the configuration file.
func settle(cmd *cobra.Command, config string) error {
	if config == "" {
		config = os.Getenv(variable("config"))
	}
	file, err := readConfig(cmd.Root(), config)
	if err != nil {
		return &usageError{err, statusUsage}
	}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "help" || failed != nil {
			return
		}
		if value, ok := os.LookupEnv(variable(f.Name)); ok {
			if err := set(cmd.Flags(), f.Name, value); err != nil {
				failed = fmt.Errorf("environment variable %s: %w", variable(f.Name), err)
			}
			return
		}
		if s, ok := file[f.Name]; ok {
			for _, value := range s.values {
				if err := set(cmd.Flags(), f.Name, value); err != nil {
					failed = fmt.Errorf("%s:%d: %s: %w", config, s.line, f.Name, err)
				}
			}
		}
	})
	if failed != nil {
		return &usageError{failed, statusUsage}
	}
	return nil
}

// set sets a flag, without pflag's wording, which speaks of a command line.
func set(flags *pflag.FlagSet, name, value string) error {
	f := flags.Lookup(name)
	if err := f.Value.Set(value); err != nil {
		return fmt.Errorf("%q: %w", value, err)
	}
	f.Changed = true
	return nil
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "GREENAGENT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// setting is the value of a key and where it stands.
type setting struct {
	values []string
	line   int
}

// readConfig reads a YAML file of settings: a mapping from flag names, of any
// subcommand, to scalars or, for repeatable flags, lists of scalars.
func readConfig(root *cobra.Command, path string) (map[string]setting, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil // an empty file sets nothing
	} else if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", path, err)
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want a mapping from flag names to values, as zone: FR", path, top.Line)
	}
	known := flagNames(root)
	settings := map[string]setting{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		if !known[key.Value] {
			return nil, fmt.Errorf("%s:%d: unknown key %q; keys are the names of flags without their dashes", path, key.Line, key.Value)
		}
		if _, twice := settings[key.Value]; twice {
			return nil, fmt.Errorf("%s:%d: %q is set twice", path, key.Line, key.Value)
		}
		s := setting{line: value.Line}
		items := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			items = value.Content
		}
		for _, item := range items {
			if item.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("%s:%d: %q wants a single value", path, item.Line, key.Value)
			}
			s.values = append(s.values, item.Value)
		}
		settings[key.Value] = s
	}
	return settings, nil
}

// flagNames returns the names of all flags of all subcommands.
func flagNames(root *cobra.Command) map[string]bool {
	names := map[string]bool{}
	for _, cmd := range append(root.Commands(), root) {
		note := func(f *pflag.Flag) { names[f.Name] = f.Name != "help" && f.Name != "config" }
		cmd.Flags().VisitAll(note)
		cmd.PersistentFlags().VisitAll(note)
	}
	return names
}
