package contract

import "slices"

func platformChecks() []Check { return nil }

var areas = slices.Concat(adapterAreas)
