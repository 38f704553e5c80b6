using System.Diagnostics;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Guest;

/// <summary>The kernel, initramfs and root that image.sh makes.</summary>
sealed record GuestImage(string Folder)
{
    public string Kernel => Path.Combine(Folder, "vmlinux");
    public string Initramfs => Path.Combine(Folder, "initrd.gz");
    public string Root => Path.Combine(Folder, "root");

    /// <summary>Finds the image; skips or fails the test (<see cref="RequiredTool"/>) when it has not been made.</summary>
    public static async Task<GuestImage> FindAsync(CancellationToken ct)
    {
        var script = Path.Combine(Repository.Root, "tests", "interop", "Guest", "image.sh");
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, UseShellExecute = false };
        start.ArgumentList.Add(script);
        start.ArgumentList.Add("--path");
        using var process = Process.Start(start)!;
        var folder = (await process.StandardOutput.ReadToEndAsync(ct)).Trim();
        await process.WaitForExitAsync(ct);
        return process.ExitCode switch
        {
            0 => new GuestImage(folder),
            3 => throw RequiredTool.Missing("the guest of the interop tests has not been made", "./build.sh deps"),
            var status => throw new GuestException($"{script} --path ended with exit status {status}."),
        };
    }
}
