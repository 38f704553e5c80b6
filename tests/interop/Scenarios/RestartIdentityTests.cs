using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary>
/// A configuration written by hand gives disks no UUIDs. Those with contents that outlive the host must be known again after a restart: Linux
/// drops a namespace whose identifiers have changed, with I/O errors for whatever was using it.
/// </summary>
[Trait("Category", "Slow")]
public sealed class RestartIdentityTests
{
    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_disk_on_a_file_has_the_same_UUID_after_a_restart_and_no_other_disk_has_it()
    {
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        foreach (var name in new[] { "a", "b" }) await File.WriteAllBytesAsync(Path.Combine(spindle.Folder, name), new byte[65536], Ct);
        var first = await CreateAsync(spindle);
        Assert.Equal(4, first.Distinct().Count());
        await spindle.KillAsync();
        await spindle.StartAgainAsync(Ct);
        Assert.Equal(first, await CreateAsync(spindle));
    }

    static async Task<string[]> CreateAsync(SpindleProcess spindle)
    {
        (string Name, string File)[] disks = [("Aio0", "a"), ("Aio1", "b"), ("Twice", "a")];
        foreach (var (name, file) in disks)
            await spindle.CallAsync("bdev_aio_create", new { name, filename = Path.Combine(spindle.Folder, file), block_size = 512, @readonly = name == "Twice" }, Ct);
        await spindle.CallAsync("bdev_passthru_create", new { name = "Pt0", base_bdev_name = "Aio0" }, Ct);
        var bdevs = (await spindle.CallAsync("bdev_get_bdevs", ct: Ct)).EnumerateArray().ToDictionary(bdev => bdev.GetProperty("name").GetString()!);
        return [.. disks.Select(disk => disk.Name).Append("Pt0").Select(name => bdevs[name].GetProperty("uuid").GetString()!)];
    }
}
