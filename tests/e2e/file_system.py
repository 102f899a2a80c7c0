"""A file system of a node's own: of a bounded size, so that it can be full, and one that can break down."""
import atexit
import pathlib
import subprocess


def why_not():
    """Why there can be none here; None if there can."""
    return None if pathlib.Path("/dev/loop-control").exists() else "no loop devices"


class FileSystem:
    """ext4 on a file in memory, at `mount`, which is made. Gone when the test ends."""

    def __init__(self, mount, mib):
        self.mount, self.broken, self.filler = mount, False, mount / "filler"
        home = mount.with_name(mount.name + "-device")
        self.device = home / "ext4"
        for folder in (mount, home):
            folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib + 64}m", "tmpfs", home], check=True)
        atexit.register(subprocess.run, ["umount", "-l", str(home)], check=False)
        with self.device.open("wb") as device:
            device.truncate(mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1", self.device], check=True)
        self._mount()
        atexit.register(subprocess.run, ["umount", "-l", str(mount)], check=False)

    def _mount(self):
        subprocess.run(["mount", "-o", "loop,errors=remount-ro", self.device, self.mount], check=True)

    def fill(self):
        """A broken one takes nothing as it is."""
        if self.broken:
            return
        with self.filler.open("wb", buffering=0) as filler:
            try:
                while filler.write(bytes(1 << 18)):
                    pass
            except OSError:
                pass

    def empty(self):
        """A broken one is emptied when it is mended."""
        if not self.broken:
            self.filler.unlink(missing_ok=True)

    def break_down(self):
        """It takes nothing any more, as after an error of its device. What was not synced is lost."""
        device = subprocess.run(["findmnt", "-no", "SOURCE", self.mount], check=True, capture_output=True, text=True)
        (pathlib.Path("/sys/fs/ext4") / pathlib.Path(device.stdout.strip()).name / "trigger_fs_error").write_text("1")
        self.broken = True

    def mend(self):
        """If it is broken. No process may use it."""
        if self.broken:
            subprocess.run(["umount", self.mount], check=True)
            self._mount()
            self.broken = False
            self.empty()
