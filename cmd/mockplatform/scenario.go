package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/partnerkit/partnerkit/internal/yamldoc"
	"github.com/partnerkit/partnerkit/mockplatform"
	"github.com/partnerkit/partnerkit/mockplatform/control"
)

type scenarioCmd struct {
	Check  scenarioCheckCmd  `cmd:"" help:"Rehearse scenario files; whatever is wrong with one is a line with file, line and path." example:"mockplatform scenario check docs/examples/scenarios/*.yaml"`
	Schema scenarioSchemaCmd `cmd:"" help:"Print the JSON schema of scenario files, for editors." example:"mockplatform scenario schema > scenario.schema.json"`
}

type scenarioCheckCmd struct {
	Files []string `arg:"" name:"file" help:"Scenario files."`
}

// Run checks every file before it fails.
func (c *scenarioCheckCmd) Run(out io.Writer) error {
	var faults error
	for _, file := range c.Files {
		s, err := mockplatform.Script{File: file}.Read()
		if err == nil {
			err = mockplatform.Rehearse(mockplatform.Config{}, s)
		}
		if err != nil {
			faults = errors.Join(faults, err)
			continue
		}
		_, _ = fmt.Fprintf(out, "%s: %d users, %d steps\n", file, len(s.Users), len(s.Timeline))
	}
	return scenarioFault(faults)
}

// scenarioFault is an error about a scenario: one that was asked for wrongly if its text is at
// fault.
func scenarioFault(err error) error {
	if wrong := (*yamldoc.Error)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%w: the scenario cannot be played\n%w", errUsage, err)
	}
	return err
}

type scenarioSchemaCmd struct{}

// Run prints the schema.
func (*scenarioSchemaCmd) Run(out io.Writer) error {
	text, err := control.ScenarioSchema()
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
