using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Newtonsoft.Json.Linq;
using Spindle.Host.Rpc.Client;
using Spindle.PluginTests.Support;

namespace Spindle.PluginTests.Faults;

/// <summary>What is done with a process whose reactor hangs, by the policy in its manifest. The process is the <c>spindle</c> command, as an operator has it.</summary>
[Trait("Category", "Slow")]
public sealed class HangPolicyTests : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("spindle-hang-").FullName;
    private readonly StringBuilder _output = new();
    private Process? _process;

    private string Socket => Path.Combine(_folder, "rpc.sock");

    private string Output
    {
        get { lock (_output) return _output.ToString(); }
    }

    [Fact]
    public async Task Exit_ends_the_process_with_a_code_of_its_own_and_leaves_a_dump_if_asked_to()
    {
        string dumps = Path.Combine(_folder, "dumps");
        await StartAsync("exit", dumps);
        await CallAsync("faulty_arm", """{ "what": "hang-poller" }""");
        await _process!.WaitForExitAsync().WaitAsync(s_patience);
        Assert.True(_process.ExitCode == 70, $"exit code {_process.ExitCode}\n{Output}");
        // One after the other: the log, the dump, the end.
        Assert.Contains("poller 'endless poller' of module bdev-faulty 1.0.0 has not returned", Output);
        if (Output.Contains("There is no dump"))
            Assert.Skip($"this machine lets nobody write a dump:\n{Output}");
        string dump = Assert.Single(Directory.GetFiles(dumps, "spindle-*.dmp"));
        Assert.Contains(dump, Output);
        await using var file = File.OpenRead(dump);
        byte[] magic = new byte[4];
        await file.ReadExactlyAsync(magic);
        Assert.Equal("\u007fELF"u8.ToArray(), magic);
    }

    [Fact]
    public async Task Restart_begins_anew_as_the_same_process_and_serves_again()
    {
        await StartAsync("restart", null);
        int id = _process!.Id;
        await CallAsync("faulty_arm", """{ "what": "hang-poller" }""");
        await UntilAsync(() => Task.FromResult(Output.Contains("The process starts itself again")), "it starts itself again");
        await UntilAsync(async () => (await HealthAsync()).GetProperty("status").GetString() == "ok", "the new one is sound");
        Assert.False(_process.HasExited);
        // It is a whole one: it takes signals, and ends in order.
        Assert.Equal(0, Kill(id, 15));
        await _process.WaitForExitAsync().WaitAsync(s_patience);
        Assert.True(_process.ExitCode == 0, $"exit code {_process.ExitCode}\n{Output}");
        Assert.False(File.Exists(Socket));
    }

    private async Task StartAsync(string onHang, string? dumps)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the process's end is a Linux affair");
        var manifest = new JObject
        {
            ["name"] = "hang", ["modules"] = new JArray("bdev-faulty"), ["reactors"] = new JObject { ["cores"] = 1 },
            ["faults"] = new JObject { ["holdLimitMs"] = 100, ["hangLimitMs"] = 500, ["onHang"] = onHang },
        };
        if (dumps is not null) manifest["faults"]!["dumpFolder"] = dumps;
        string app = Directory.CreateDirectory(Path.Combine(_folder, "app")).FullName;
        await File.WriteAllTextAsync(Path.Combine(app, "app.json"), manifest.ToString());
        string program = Path.Combine(Path.GetDirectoryName(ModulesOnDisk.Built)!, "spindle");
        Assert.True(File.Exists(program), $"{program} is not there: ./build.sh build");
        var start = new ProcessStartInfo(program, ["run", app, "--no-config", "--rpc-socket", Socket, "--modules", FaultyHost.Folder])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder,
        };
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Note(line.Data);
        _process.ErrorDataReceived += (_, line) => Note(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await UntilAsync(async () =>
        {
            await CallAsync("framework_wait_init");
            return true;
        }, "it answers RPCs");
    }

    private void Note(string? line)
    {
        lock (_output) _output.AppendLine(line);
    }

    private async Task<JsonElement> HealthAsync() => await CallAsync("spindle_get_health");

    private async Task<JsonElement> CallAsync(string method, string? parameters = null)
    {
        await using var client = await RpcClient.ConnectAsync(Socket);
        return JsonDocument.Parse(await client.CallAsync(method, parameters).WaitAsync(TimeSpan.FromSeconds(20))).RootElement;
    }

    private async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var clock = Stopwatch.StartNew();
        string last = "";
        while (clock.Elapsed < s_patience)
        {
            try
            {
                if (await condition().WaitAsync(s_patience)) return;
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                last = e.Message; // not up yet
            }
            Assert.False(_process!.HasExited, $"it ended: {Output}");
            await Task.Delay(50);
        }
        Assert.Fail($"Never: {what}. {last}\n{Output}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);
}
