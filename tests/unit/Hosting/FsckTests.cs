using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Spindle.Host.Hosting;

namespace Spindle.UnitTests.Hosting;

/// <summary><c>spindle fsck</c> as the operators' page shows it, on a file with a store.</summary>
[Trait("Category", "Slow")]
public sealed class FsckTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-fsck-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string Disk => Path.Combine(_folder, "disk0");

    private static string Page()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "build.cake"))) folder = folder.Parent;
        return File.ReadAllText(Path.Combine(folder.FullName, "docs", "operators.md"));
    }

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(string command)
    {
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add($"spindle() {{ dotnet '{Path.Combine(AppContext.BaseDirectory, "spindle.dll")}' \"$@\"; }}; {command}");
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    private async Task MakeStoreAsync()
    {
        await File.WriteAllBytesAsync(Disk, new byte[16 << 20], TestContext.Current.CancellationToken);
        await using var host = await SpindleHost.StartAsync(new SpindleHostOptions { Modules = [new("bdev-aio"), new("bdev-lvol")], StopTimeout = TimeSpan.FromSeconds(10) });
        await host.CallAsync("bdev_aio_create", $$"""{"name":"disk0","filename":"{{Disk}}","block_size":512}""");
        await host.CallAsync("bdev_lvol_create_lvstore", """{"bdev_name":"disk0","lvs_name":"vg","cluster_sz":65536}""");
        await host.CallAsync("bdev_lvol_create", """{"lvs_name":"vg","lvol_name":"data","size_in_mib":2}""");
        await host.CallAsync("bdev_lvol_create", """{"lvs_name":"vg","lvol_name":"other","size_in_mib":1}""");
    }

    /// <summary>Changes a bit of the first metadata page that names a volume.</summary>
    private void Damage(string volume)
    {
        byte[] bytes = File.ReadAllBytes(Disk);
        int at = bytes.AsSpan(0, 4 << 20).IndexOf(System.Text.Encoding.ASCII.GetBytes("name" + volume + "\0"));
        Assert.True(at > 0);
        bytes[(at / 4096 * 4096) + 3000] ^= 1;
        File.WriteAllBytes(Disk, bytes);
    }

    [Fact]
    public async Task The_examples_of_the_operators_page_tell_what_is_wrong_and_repair_it()
    {
        var lines = Regex.Match(Page(), "## Check and repair.*?```sh\n(.*?)```", RegexOptions.Singleline).Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] commands = [.. lines.Select(line => line.Split("   #")[0].Trim().Replace("/var/tmp/disk0", Disk, StringComparison.Ordinal).Replace("/var/tmp/copy", Path.Combine(_folder, "copy"), StringComparison.Ordinal))];
        Assert.Equal(5, commands.Length);
        await MakeStoreAsync();
        var (status, output, error) = await RunAsync(commands[0]);
        Assert.True(status == 0, output + error);
        Assert.Contains("in order", output);
        Assert.Contains("'data': 2 MiB", output);

        Damage("data");
        byte[] damaged = File.ReadAllBytes(Disk);
        (status, output, _) = await RunAsync(commands[0]);
        Assert.Equal(4, status);
        Assert.Contains("damage: 'data': ", output);
        Assert.Contains("wrong CRC", output);
        Assert.Contains("--repair", output);
        (status, output, _) = await RunAsync(commands[1]);
        Assert.Equal(4, status);
        var json = JsonNode.Parse(output)!;
        Assert.Equal(("damaged", "data", 4), ((string)json["state"]!, (string)json["problems"]![0]!["volume"]!, (int)json["exit_status"]!));
        Assert.Equal(damaged, File.ReadAllBytes(Disk));

        Assert.Equal(0, (await RunAsync(commands[2])).ExitCode);
        (status, output, error) = await RunAsync(commands[3]);
        Assert.True(status == 1, output + error);
        Assert.Contains("repaired: ", output);
        Assert.Contains("'data': 2 MiB, 32 of 32 clusters its own, read-only", output);
        (status, output, _) = await RunAsync(commands[4]);
        Assert.Equal(0, status);
        Assert.Contains("in order", output);
        Assert.Equal(damaged, File.ReadAllBytes(Path.Combine(_folder, "copy")));
    }

    [Fact]
    public async Task Other_ends_have_the_statuses_of_fsck()
    {
        await File.WriteAllBytesAsync(Disk, new byte[1 << 20], TestContext.Current.CancellationToken);
        foreach (var (arguments, expected, text) in new[]
        {
            ("--help", 0, "--repair"), ("", 16, "--help"), ("--frob", 16, "--frob"), ($"{Disk} --bdev x", 16, "--help"), ("nothing", 8, "No such file"), (Disk, 8, "SPDKBLOB"), ("--bdev x", 8, "no bdev 'x'"),
        })
        {
            var (status, output, error) = await RunAsync($"spindle fsck {arguments}");
            Assert.True(status == expected && (output + error).Contains(text, StringComparison.Ordinal), $"fsck {arguments}: {status} {output}{error}");
        }
    }
}
