package main

import (
	"context"
	"errors"

	"github.com/wasmpoint/wasmpoint/conformance/walkthrough"
)

func measure(context.Context, *walkthrough.World, string, string, string, int) error {
	return errors.New("not there yet")
}
