package contract

// Mended are the checks that have advice of their own, as often as they have it.
func Mended() (ids []string) {
	for _, m := range mends {
		ids = append(ids, m.checks...)
	}
	return ids
}
