package doctor

import (
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCards(t *testing.T) {
	t.Parallel()
	p := patient{Root: t.TempDir()}
	p.plug(t, "0000:1b:00.0", "nvidia")
	p.plug(t, "0000:43:00.0", "")
	p.plug(t, "0000:65:00.0", "vfio-pci")
	p.plug(t, "0000:65:00.4", "nvidia")
	p.link(t, "../0000:65:00.0", "sys/bus/pci/devices/0000:65:00.4/physfn")
	p.plug(t, "0000:1b:00.1", "snd_hda_intel")
	p.write(t, "sys/bus/pci/devices/0000:1b:00.1/class", "0x040300\n")
	p.plug(t, "0000:03:00.0", "ast")
	p.write(t, "sys/bus/pci/devices/0000:03:00.0/vendor", "0x1a03\n")

	v := driverView{cards: cards(p.path("sys"))}
	want := []card{{"0000:1b:00.0", "nvidia"}, {"0000:43:00.0", ""}, {"0000:65:00.0", "vfio-pci"}}
	if d := cmp.Diff(want, v.cards, cmp.AllowUnexported(card{})); d != "" {
		t.Error(d)
	}
	if v.ours() != 2 || v.lent() || v.nouveau() {
		t.Errorf("ours %d, lent %t, nouveau %t", v.ours(), v.lent(), v.nouveau())
	}
	if cards(p.path("none")) != nil {
		t.Error("cards on no bus")
	}
}

func TestInstall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		view            driverView
		library, driver string
	}{
		{driverView{os: "Ubuntu 24.04.1 LTS", version: "570.124.06"}, "sudo apt-get install libnvidia-compute-570", "sudo ubuntu-drivers install"},
		{driverView{os: "Debian GNU/Linux 12 (bookworm)", version: "535.1"}, "sudo apt-get install libnvidia-ml1", "sudo apt-get install nvidia-driver"},
		{driverView{os: "Ubuntu 24.04.1 LTS", version: "570.124.06", container: true}, withGPUs, withGPUs},
		{driverView{os: "Rocky Linux 9.5"}, `greenagent doctor --nvml-library "$(find /usr /opt /run -name libnvidia-ml.so.1 2>/dev/null | head -n 1)"`, ""},
	} {
		if got, _ := c.view.installLibrary(); got != c.library {
			t.Errorf("%+v: library by %q", c.view, got)
		}
		if got, detail := c.view.installDriver(); got != c.driver || got == "" && !strings.Contains(detail, "https://docs.nvidia.com/") {
			t.Errorf("%+v: driver by %q, %q", c.view, got, detail)
		}
	}
}

func TestPermit(t *testing.T) {
	t.Parallel()
	p := patient{Root: t.TempDir()}
	p.write(t, "nvidiactl", "")
	const (
		everybody = "sudo chmod 0666 /dev/nvidiactl /dev/nvidia[0-9]*"
		widen     = "sudo chmod g+rw /dev/nvidiactl /dev/nvidia[0-9]* && "
	)
	gids := []int{os.Getgid()}
	if os.Getuid() == 0 {
		gids = []int{0, 54321}
	}
	for _, gid := range gids {
		if err := os.Chown(p.path("nvidiactl"), -1, gid); err != nil {
			t.Fatal(err)
		}
		join := "sudo usermod -aG " + strconv.Itoa(gid) + ` "$USER"`
		if g, err := user.LookupGroupId(strconv.Itoa(gid)); err == nil {
			join = "sudo usermod -aG " + g.Name + ` "$USER"`
		}
		for mode, want := range map[os.FileMode]string{0o600: widen + join, 0o640: widen + join, 0o660: join, 0o666: join} {
			if gid == 0 { // nobody should join it
				want = everybody
			}
			if err := os.Chmod(p.path("nvidiactl"), mode); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(p.path("nvidiactl"))
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := (&driverView{control: info}).permit(); got != want {
				t.Errorf("%o of group %d: %q, want %q", mode, gid, got, want)
			}
		}
	}
	if got, _ := (&driverView{}).permit(); got != everybody {
		t.Errorf("no node: %q", got)
	}
	if got, _ := (&driverView{container: true}).permit(); got != withGPUs {
		t.Errorf("in a container: %q", got)
	}
}

func TestBuild(t *testing.T) {
	t.Parallel()
	expect(t, buildCheck(true, &driverView{}), Pass, "")
	expect(t, buildCheck(false, &driverView{}), Info, "", "without cgo")
	expect(t, buildCheck(false, &driverView{loaded: true}), Fail, "CGO_ENABLED=1 go build -ldflags '-extldflags=-Wl,-z,lazy' ./cmd/greenagent", "cgo")
}
