namespace Spindle.InteropTests.Guest;

/// <summary>QEMU's command line for a guest: a q35 machine with nothing but virtio, user-mode networking and the image's root over 9p.</summary>
static class QemuArguments
{
    /// <summary>Kernel arguments that leave out what a test guest can miss: a third of the boot under emulation.</summary>
    static readonly string[] Fast =
    [
        "quiet", "nokaslr", "mitigations=off", "cryptomgr.notests", "random.trust_cpu=on", "audit=0", "apparmor=0", "lsm=none", "init_on_alloc=0",
        "rodata=off", "nowatchdog", "i8042.noaux", "i8042.nopnp", "no_timer_check", "tsc=nowatchdog", "edd=off",
    ];

    /// <param name="image">What to boot.</param>
    /// <param name="options">How.</param>
    /// <param name="shared">The host's folder that is /run/guest in the guest.</param>
    /// <param name="control">The Unix socket on which the test waits for the control port.</param>
    /// <param name="console">The file that gets the kernel's console.</param>
    public static IReadOnlyList<string> For(GuestImage image, GuestOptions options, string shared, string control, string console)
    {
        List<string> arguments = [];
        var machine = "q35,sata=off,smbus=off,vmport=off";
        if (options.SharedMemory)
        {
            machine += ",memory-backend=mem";
            arguments.AddRange(["-object", $"memory-backend-memfd,id=mem,size={options.MemoryMb}M,share=on"]);
        }

        arguments.AddRange(["-machine", machine, "-m", options.MemoryMb.ToString(), "-smp", options.Cpus.ToString()]);
        // Emulated, a processor without AVX and five-level page tables, but with the instruction for CRC32C: QEMU 7's emulation of AVX is new and slow.
        arguments.AddRange(UseKvm() ? ["-cpu", "host", "-accel", "kvm"] : ["-cpu", "Westmere", "-accel", "tcg,thread=multi"]);
        if (File.Exists("/usr/share/qemu/qboot.rom")) arguments.AddRange(["-bios", "qboot.rom"]); // up at once, where SeaBIOS probes disks
        arguments.AddRange(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);

        var append = new List<string> { "console=ttyS0", "panic=-1" }.Concat(Fast).Concat(options.KernelArguments);
        if (options.Modules.Count > 0) append = append.Append($"guest.modules={string.Join(',', options.Modules)}");
        arguments.AddRange(["-kernel", image.Kernel, "-initrd", image.Initramfs, "-append", string.Join(' ', append)]);
        arguments.AddRange(["-serial", $"file:{console}"]);

        arguments.AddRange(["-device", "virtio-serial-pci", "-chardev", $"socket,id=control,path={control}"]);
        arguments.AddRange(["-device", "virtserialport,chardev=control,name=spindle.control"]);
        arguments.AddRange(Share("root", image.Root, ",readonly=on"));
        arguments.AddRange(Share("run", shared, ""));

        var forward = string.Concat(options.Forward.Select(port => $",hostfwd=tcp:127.0.0.1:{port.Host}-:{port.Guest}"));
        arguments.AddRange(["-netdev", $"user,id=net{forward}", "-device", "virtio-net-pci,netdev=net,romfile="]);
        arguments.AddRange(options.QemuArguments);
        return arguments;
    }

    static IEnumerable<string> Share(string tag, string path, string more) =>
    [
        "-fsdev", $"local,id={tag},path={path},security_model=none,multidevs=remap{more}", "-device", $"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
    ];

    // A /dev/kvm on a CPU that shows neither vmx nor svm belongs to a paravirtual KVM, which runs only kernels made for it.
    static bool UseKvm()
    {
        if (!File.Exists("/dev/kvm") || !File.Exists("/proc/cpuinfo")) return false;
        var flags = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("flags", StringComparison.Ordinal)) ?? "";
        if (!flags.Split(' ').Any(flag => flag is "vmx" or "svm")) return false;
        try
        {
            using var kvm = File.Open("/dev/kvm", FileMode.Open, FileAccess.ReadWrite);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
