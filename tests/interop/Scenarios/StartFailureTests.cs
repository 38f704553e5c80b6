using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Spindle.InteropTests.Processes;

namespace Spindle.InteropTests.Scenarios;

/// <summary><c>spindle run</c> that cannot start, as the one who typed it sees it: one line that says what is wrong and what to do, and status 1.</summary>
[Trait("Category", "Slow")]
public sealed class StartFailureTests : IDisposable
{
    readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("spindle-start-");

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    static string App => Path.Combine(Repository.Root, "apps", "nvmf_tgt");

    string Socket => Path.Combine(folder.FullName, "rpc.sock");

    public void Dispose() => folder.Delete(recursive: true);

    string Write(string name, string text)
    {
        var file = Path.Combine(folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
        return file;
    }

    static async Task<CommandResult> RunAsync(params string[] arguments)
    {
        if (!File.Exists(Repository.Spindle)) throw RequiredTool.Missing("artifacts/spindle has not been built", "./build.sh build");
        return await CommandResult.RunAsync(Repository.Spindle, ["run", .. arguments], ct: Ct);
    }

    /// <summary>It fails with these words in one line of standard error that begins with the program's name, and leaves no socket.</summary>
    async Task<string> FailsAsync(string[] arguments, params string[] words)
    {
        var existed = File.Exists(Socket);
        var result = await RunAsync([.. arguments, "--rpc-socket", Socket]);
        Assert.Equal(1, result.ExitCode);
        var line = Assert.Single(result.Error.Split('\n'), line => line.StartsWith("spindle: ", StringComparison.Ordinal));
        Assert.All(words, word => Assert.Contains(word, line));
        Assert.DoesNotContain("   at ", result.Error); // no stack trace
        Assert.Equal(existed, File.Exists(Socket));
        return line;
    }

    [Fact]
    public async Task A_taken_port_is_named_with_the_call_that_wanted_it()
    {
        using var other = new TcpListener(IPAddress.Parse("127.0.0.1"), 0);
        other.Start();
        var port = ((IPEndPoint)other.LocalEndpoint).Port.ToString();
        var config = Write("config.json", (await File.ReadAllTextAsync(Path.Combine(App, "config.json"), Ct)).Replace("4420", port));
        await FailsAsync([App, "--config", config], "127.0.0.1", port, "in use", "nvmf_subsystem_add_listener");
    }

    [Fact]
    public async Task A_taken_control_socket_is_left_to_its_owner()
    {
        await using var first = await SpindleProcess.StartAsync(ct: Ct);
        var second = await RunAsync(App, "--no-config", "--rpc-socket", first.RpcSocket);
        Assert.Equal(1, second.ExitCode);
        Assert.Contains($"'{first.RpcSocket}' is in use", second.Error);
        Assert.Contains("--rpc-socket", second.Error);
        Assert.NotEmpty((await first.CallAsync("spdk_get_version", ct: Ct)).GetProperty("version").GetString()!);
        using var again = await RpcClient.ConnectAsync(first.RpcSocket, Ct); // its path is still its own
        await again.CallAsync("spdk_get_version", null, Ct);
    }

    [Fact]
    public async Task A_stale_control_socket_is_taken_over()
    {
        await using var spindle = await SpindleProcess.StartAsync(ct: Ct);
        await spindle.KillAsync();
        Assert.True(File.Exists(spindle.RpcSocket)); // left by the one that was killed
        await spindle.StartAgainAsync(Ct);
        await Machine.EndAsync(spindle);
        Assert.False(File.Exists(spindle.RpcSocket));
    }

    [Fact]
    public async Task A_file_in_the_place_of_the_control_socket_is_left_alone()
    {
        await File.WriteAllTextAsync(Socket, "a letter", Ct);
        await FailsAsync([App, "--no-config"], Socket, "--rpc-socket");
        Assert.Equal("a letter", await File.ReadAllTextAsync(Socket, Ct));
    }

    [Theory]
    [InlineData("0xzz", "is not a core mask")]
    [InlineData("0x0", "names no core")]
    [InlineData("[0,1", "']'")]
    [InlineData("0x80000000000000000000", "core")]
    public async Task A_bad_core_mask_is_shown_with_an_example_of_a_good_one(string mask, string words) =>
        await FailsAsync([App, "--no-config", "--cpumask", mask], mask.StartsWith("0x8", StringComparison.Ordinal) ? "79" : mask, words);

    [Fact]
    public async Task A_missing_configuration_is_named() =>
        await FailsAsync([App, "--config", Path.Combine(folder.FullName, "nowhere.json")], "nowhere.json");

    [Fact]
    public async Task A_configuration_that_is_no_JSON_is_shown_by_its_line()
    {
        var config = Write("config.json", "{\n  \"subsystems\": [\n    { \"subsystem\": \"bdev\" \"config\": [] }\n  ]\n}\n");
        await FailsAsync([App, "--config", config], config, "line 3");
    }

    [Fact]
    public async Task A_call_of_the_configuration_that_fails_is_named()
    {
        var config = Write("config.json",
            """{ "subsystems": [ { "subsystem": "bdev", "config": [ { "method": "bdev_malloc_create", "params": { "name": "M0", "num_blocks": 8, "block_size": 7 } } ] } ] }""");
        await FailsAsync([App, "--config", config], "bdev_malloc_create", "block_size");
    }

    [Fact]
    public async Task A_missing_app_is_named_with_where_it_was_looked_for() => await FailsAsync([Path.Combine(folder.FullName, "app")], "app.json");

    [Theory]
    [InlineData("{\n  \"name\": \"x\",\n  \"modules\": [\"bdev-malloc\"],\n  \"reactors\": { \"cores\": -1 }\n}", "line 4", "reactors.cores")]
    [InlineData("{\n  \"name\": \"x\",\n  \"moduls\": [\"bdev-malloc\"]\n}", "line 3", "moduls")]
    [InlineData("{\n  \"name\": \"x\",\n  \"modules\": [\"bdev-malloc\",\n  7]\n}", "line 4", "modules[1]")]
    [InlineData("{\n  \"name\": \"x\"\n  \"modules\": []\n}", "line 3", "")]
    public async Task An_error_in_the_manifest_is_shown_by_its_line_and_field(string manifest, string line, string field)
    {
        Write("app/app.json", manifest);
        await FailsAsync([Path.Combine(folder.FullName, "app")], Path.Combine(folder.FullName, "app", "app.json"), line, field);
    }

    [Fact]
    public async Task A_module_that_is_not_there_is_named_with_where_it_was_looked_for()
    {
        Write("app/app.json", """{ "name": "x", "modules": ["bdev-nowhere"] }""");
        await FailsAsync([Path.Combine(folder.FullName, "app")], "bdev-nowhere");
    }

    [Theory]
    [InlineData("--config x --no-config", "exclude each other")]
    [InlineData("--cpumsk 0x1", "--cpumsk")]
    [InlineData("--ring uring", "io_uring")]
    public async Task A_wrong_option_is_a_mistake_in_usage_with_status_2(string options, string words)
    {
        var result = await RunAsync([App, .. options.Split(' '), "--rpc-socket", Socket]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(words, result.Error);
        Assert.Contains("--help", result.Error);
        Assert.False(File.Exists(Socket));
    }

    [Fact]
    public async Task Help_is_on_stdout_with_status_0()
    {
        var result = await RunAsync("--help");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.All(new[] { "--config", "--no-config", "--rpc-socket", "--cpumask", "--spin", "--wait-for-rpc" }, option => Assert.Contains(option, result.Output));
    }

    [Fact]
    public async Task It_runs_without_root()
    {
        if (geteuid() != 0) Assert.Skip("this user is not root already: every other test shows it");
        if (!File.Exists(Repository.Spindle)) throw RequiredTool.Missing("artifacts/spindle has not been built", "./build.sh build");
        var setpriv = RequiredTool.Find("setpriv");
        // A copy that anybody may read, in a folder that nobody owns.
        var copy = Path.Combine(folder.FullName, "spindle");
        var made = await CommandResult.RunAsync("bash",
            ["-c", $"""
             set -e; mkdir -p '{copy}/run' '{copy}/apps'
             cp -r '{Repository.Spindle}' '{Repository.Artifacts}/bin' '{Repository.Artifacts}/modules' '{copy}/'; cp -r '{App}' '{copy}/apps/'
             chmod -R a+rX '{folder.FullName}'; chown 65534:65534 '{copy}/run'
             """], ct: Ct);
        Assert.Equal(0, made.ExitCode);
        string[] nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
        if ((await CommandResult.RunAsync(setpriv, [.. nobody, "dotnet", "--list-runtimes"], ct: Ct)).ExitCode != 0)
            Assert.Skip("this machine's .NET can be run by root only");
        var launcher = Path.Combine(folder.FullName, "as-nobody");
        await File.WriteAllTextAsync(launcher, $"#!/bin/sh\nexec '{setpriv}' {string.Join(' ', nobody)} env -u HOME '{copy}/spindle' \"$@\"\n", Ct);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(launcher, UnixFileMode.UserRead | UnixFileMode.UserExecute);

        var port = new ServedSubsystem().Port;
        var config = Path.Combine(copy, "run", "config.json");
        await File.WriteAllTextAsync(config, (await File.ReadAllTextAsync(Path.Combine(App, "config.json"), Ct)).Replace("4420", port.ToString()), Ct);
        await using var spindle = await SpindleProcess.StartAsync(new SpindleOptions { Program = launcher, Config = config, OpenFolder = true }, Ct);
        var status = await File.ReadAllLinesAsync($"/proc/{spindle.Id}/status", Ct);
        Assert.Contains(status, line => line.StartsWith("Uid:\t65534\t65534", StringComparison.Ordinal));
        var disk = Path.Combine(spindle.Folder, "disk");
        await File.WriteAllBytesAsync(disk, new byte[1 << 20], Ct);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(disk, (UnixFileMode)0b110_110_110);
        await spindle.CallAsync("bdev_aio_create", new { filename = disk, name = "Aio0", block_size = 512 }, Ct);
        Assert.Equal(3, (await spindle.CallAsync("bdev_get_bdevs", ct: Ct)).GetArrayLength());
        using (var client = new TcpClient()) await client.ConnectAsync("127.0.0.1", port, Ct);
        await Machine.EndAsync(spindle);
        Assert.False(File.Exists(spindle.RpcSocket));
    }

    [DllImport("libc")]
    static extern uint geteuid();
}
