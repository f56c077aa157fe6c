package cluster

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/wasmpoint/wasmpoint/conformance/testbed"
)

// orphansVariable makes the test below play the test that is killed.
const orphansVariable = "WASMPOINT_CLUSTER_TEST_ORPHANS"

func TestNothingOutlivesATestThatIsKilled(t *testing.T) {
	if os.Getenv(orphansVariable) != "" {
		c := Start(t, WithControllerManager())
		fmt.Println("pids", c.etcd.cmd.Process.Pid, c.apiServer.cmd.Process.Pid, c.controllerManager.cmd.Process.Pid)
		select {} // until killed
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	killed := exec.Command(self, "-test.run=^"+t.Name()+"$")
	killed.Env = append(os.Environ(), orphansVariable+"=1", "TMPDIR="+t.TempDir())
	out, err := killed.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = killed.Process.Kill() })
	var pids []int
	for lines := bufio.NewScanner(out); len(pids) == 0 && lines.Scan(); {
		pids = make([]int, 3)
		if n, _ := fmt.Sscanf(lines.Text(), "pids %d %d %d", &pids[0], &pids[1], &pids[2]); n != 3 {
			pids = nil
		}
	}
	if len(pids) == 0 {
		t.Fatal("the test that should be killed started nothing")
	}
	for _, pid := range pids {
		if !runs(pid) {
			t.Fatalf("pid %d does not run", pid)
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // killed
	for _, pid := range pids {
		testbed.Eventually(t, patience, "the end of a server", func() (bool, string) {
			return !runs(pid), fmt.Sprintf("pid %d runs", pid)
		})
	}
}

// runs is false for a zombie too: its new parent may be slow to collect it.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
