package template_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/regcast/regcast/emulator/internal/template"
)

func TestBulk(t *testing.T) {
	f, err := os.Open(os.Getenv("BULK"))
	if err != nil {
		return
	}
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		data, err := exec.Command("git", "--git-dir="+os.Getenv("G"), "show", "HEAD:"+sc.Text()).Output()
		if err != nil {
			continue
		}
		b := time.Now()
		p, err := template.Parse("T", data, template.Options{})
		if d := time.Since(b); d > 100*time.Millisecond {
			fmt.Println("SLOW", sc.Text(), d)
		}
		fmt.Println("FILE", sc.Text())
		if err != nil {
			fmt.Println(err)
		} else {
			for _, n := range p.Notices {
				fmt.Println("N", n)
			}
		}
	}
}
