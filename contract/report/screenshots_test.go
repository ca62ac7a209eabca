package report_test

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/partnerkit/partnerkit/internal/page/pagetest"
)

var screenshots = flag.String("screenshots", "", "folder to write the pictures of the documentation to")

// TestScreenshots makes the pictures of the documentation:
//
//	go test ./contract/report -run TestScreenshots -screenshots "$PWD/docs/screenshots"
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no folder given by -screenshots")
	}
	b := pagetest.Start(t)
	address := saved(t, "en", real(t))
	pagetest.Save(t, filepath.Join(*screenshots, "report.png"), b.Open(t, address+"#check=INT-LOST-06", pagetest.Reader{Width: 1440, Height: 900}).View())
	pagetest.Save(t, filepath.Join(*screenshots, "report-summary.png"), b.Open(t, address, pagetest.Reader{Width: 1440, Height: 900}).View())
	pagetest.Save(t, filepath.Join(*screenshots, "report-360-ru-dark.png"), b.Open(t, address+"#lang=ru&state=failed", pagetest.Reader{Width: 360, Height: 1440, Scale: 2, Dark: true}).View())
}
