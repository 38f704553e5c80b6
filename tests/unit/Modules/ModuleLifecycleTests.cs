using NSubstitute;
using Spindle.Host.Modules;
using Spindle.Rpc;

namespace Spindle.UnitTests.Modules;

public sealed class ModuleLifecycleTests : IDisposable
{
    private readonly PluginFolder _folder = new();
    private readonly TestModuleServices _services = new();
    private readonly ModuleHost _host;

    public ModuleLifecycleTests() => _host = new ModuleHost(_services);

    public void Dispose() => _folder.Dispose();

    /// <summary>A module with an RPC class made from its services, which have one of its own and a typed logger.</summary>
    private static string RpcModule(string name, string method) => PluginFolder.BdevSource(name, """
        public int Started;
        public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<Counter>();
        public override Task InitializeAsync(IModuleContext context, CancellationToken ct) { Started++; return Task.CompletedTask; }
        """) + $$"""
        public sealed class Counter(ILogger<Counter> log) : IDisposable
        {
            public int Value;
            public void Add(int n) { Value += n; log.LogInformation("now {Value}", Value); }
            public void Dispose() => Value = -1;
        }
        [RpcObject] public sealed class AddParameters { [RpcMember(Required = true)] public int Amount { get; set; } }
        [RpcObject] public sealed class AddResult { public int Total { get; set; } public bool Started { get; set; } }
        public sealed class Methods(Counter counter, Entry entry, IModuleContext context)
        {
            [RpcMethod("{{method}}", Summary = "Adds.")]
            public async Task<AddResult> Add(AddParameters parameters, CancellationToken ct)
            {
                await Task.Yield();
                counter.Add(parameters.Amount);
                return new AddResult { Total = counter.Value, Started = entry.Started == 1 && context.ModuleName == entry.Name };
            }
        }
        """;

    private async Task<string> CallAsync(string method, int? amount = null)
    {
        var writer = new TextRpcWriter();
        await _services.Methods[method].Handler.InvokeAsync(new OneNumberReader("amount", amount), writer, TestContext.Current.CancellationToken);
        return writer.ToString();
    }

    [Fact]
    public async Task A_module_is_loaded_started_called_and_ended_in_order()
    {
        var module = await _host.LoadAsync(_folder.Add("bdev-x", RpcModule("bdev-x", "x_add")));
        Assert.Equal(ModuleState.Loaded, module.State);
        Assert.Equal("bdev-x", _services.Methods["x_add"].Module);
        await _host.StartAsync(module, TestContext.Current.CancellationToken);
        Assert.Equal(ModuleState.Running, module.State);
        Assert.Equal("{total:5,started:true}", await CallAsync("x_add", 5));
        Assert.Equal("{total:7,started:true}", await CallAsync("x_add", 2));
        Assert.Same(module, _host.FindByAssembly("Fixture"));

        Assert.True(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken));
        Assert.Equal(ModuleState.Stopped, module.State);
        Assert.Equal(["examiner bdev-x", "withdraw bdev-x", "no examiner bdev-x", "remove bdevs bdev-x"], _services.Events);
        Assert.Empty(_host.Modules);
        Assert.Empty(_services.Methods);
    }

    [Fact]
    [Trait("Category", "Slow")]
    public async Task A_module_loaded_called_and_unloaded_100_times_leaves_nothing()
    {
        var manifest = _folder.Add("bdev-x", RpcModule("bdev-x", "x_add"));
        var contexts = new List<WeakReference>();
        for (int i = 0; i < 100; i++) contexts.Add(await RoundAsync(manifest, i));
        Assert.DoesNotContain(contexts, context => context.IsAlive);
    }

    private async Task<WeakReference> RoundAsync(ModuleManifest manifest, int i)
    {
        var module = await _host.LoadAsync(manifest);
        var context = new WeakReference(module.LoadContext, trackResurrection: true);
        await _host.StartAsync(module, TestContext.Current.CancellationToken);
        _host.PrepareMethods();
        Assert.Equal($"{{total:{i},started:true}}", await CallAsync("x_add", i));
        Assert.True(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken), $"round {i}");
        return context;
    }

    [Fact]
    public async Task Two_modules_carry_different_versions_of_one_dependency()
    {
        foreach (var (name, method, version) in new[] { ("bdev-x", "x_version", "1.0.0"), ("bdev-y", "y_version", "2.0.0") })
        {
            var library = PluginFolder.Compile(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder.Root, ".lib", version)).FullName, "SharedLibrary.dll"), $$"""
                [assembly: System.Reflection.AssemblyVersion("{{version}}.0")]
                public static class Library { public static string Version => "library {{version}}"; {{(version == "2.0.0" ? "public static int OnlyInTwo => 2;" : "")}} }
                """);
            var manifest = _folder.Add(name, PluginFolder.BdevSource(name) + $$"""
                public sealed class Methods
                {
                    [RpcMethod("{{method}}")] public string Version() => Library.Version + " " + typeof(Library).Assembly.GetName().Version{{(version == "2.0.0" ? " + Library.OnlyInTwo" : "")}};
                }
                """, references: [PluginFolder.Contract, library]);
            File.Copy(Path.Combine(_folder.Root, ".lib", version, "SharedLibrary.dll"), Path.Combine(manifest.Folder, "SharedLibrary.dll"));
            await _host.StartAsync(await _host.LoadAsync(manifest), TestContext.Current.CancellationToken);
        }
        Assert.Equal("\"library 1.0.0 1.0.0.0\"", await CallAsync("x_version"));
        Assert.Equal("\"library 2.0.0 2.0.0.02\"", await CallAsync("y_version"));
        Assert.True(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken));
        Assert.Equal("\"library 2.0.0 2.0.0.02\"", await CallAsync("y_version"));
        Assert.True(await _host.UnloadAsync("bdev-y", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Contract_types_are_the_hosts_own()
    {
        var module = await _host.LoadAsync(_folder.Add("bdev-x"));
        Assert.Equal("Fixture", module.Instance!.GetType().Assembly.GetName().Name);
        Assert.NotSame(System.Runtime.Loader.AssemblyLoadContext.Default,
            System.Runtime.Loader.AssemblyLoadContext.GetLoadContext(module.Instance.GetType().Assembly));
        Assert.Equal("bdev-x", ModuleLoadContext.ModuleOf(module.Instance.GetType().Assembly));
    }

    [Theory]
    [InlineData("public Entry() => throw new Exception(\"boom\");", "its constructor failed: System.Exception: boom")]
    [InlineData("public override void ConfigureServices(IServiceCollection services) => throw new Exception(\"boom\");", "ConfigureServices failed: System.Exception: boom")]
    [InlineData("public override Task InitializeAsync(IModuleContext c, CancellationToken t) => throw new SpindleException(Errno.EIO, \"No disk.\");", "could not be started: No disk.")]
    [InlineData("public override async Task InitializeAsync(IModuleContext c, CancellationToken t) { await Task.Yield(); throw new Exception(\"boom\"); }", "could not be started: System.Exception: boom")]
    public async Task A_module_that_fails_to_start_is_gone_again(string body, string expected)
    {
        var manifest = _folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x", body));
        var (context, error) = await FailAsync(manifest);
        Assert.Equal(ModuleErrorCode.StartFailed, error.Code);
        Assert.Contains(expected, error.Message);
        Assert.Null(error.InnerException);
        Assert.Empty(_host.Modules);
        if (context is not null) Assert.True(await ContextUnload.WaitAsync(context, TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        // The name is free again, and a module that works can take it.
        Assert.Equal(ModuleState.Loaded, (await _host.LoadAsync(_folder.Add("bdev-x", version: "1.0.1"))).State);
    }

    private async Task<(WeakReference?, ModuleException)> FailAsync(ModuleManifest manifest)
    {
        WeakReference? context = null;
        var error = await Assert.ThrowsAsync<ModuleException>(async () =>
        {
            var module = await _host.LoadAsync(manifest);
            context = new WeakReference(module.LoadContext, trackResurrection: true);
            await _host.StartAsync(module, TestContext.Current.CancellationToken);
        });
        return (context, error);
    }

    [Fact]
    public async Task A_failing_stop_does_not_keep_the_module()
    {
        await _host.StartAsync(await _host.LoadAsync(_folder.Add("bdev-x", PluginFolder.BdevSource("bdev-x",
            "public override Task StopAsync(CancellationToken t) => throw new Exception(\"stuck\");"))), TestContext.Current.CancellationToken);
        Assert.True(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_module_that_calls_itself_otherwise_is_refused() => Assert.Equal(ModuleErrorCode.EntryTypeInvalid,
        (await Assert.ThrowsAsync<ModuleException>(() => _host.LoadAsync(_folder.Add("bdev-x", PluginFolder.BdevSource("bdev-z"))))).Code);

    [Fact]
    public async Task A_name_is_loaded_once()
    {
        var manifest = _folder.Add("bdev-x");
        await _host.LoadAsync(manifest);
        Assert.Equal(ModuleErrorCode.AlreadyLoaded, (await Assert.ThrowsAsync<ModuleException>(() => _host.LoadAsync(manifest))).Code);
        Assert.Single(_host.Modules);
    }

    [Fact]
    public async Task A_method_name_that_is_taken_refuses_the_second_module()
    {
        await _host.LoadAsync(_folder.Add("bdev-x", RpcModule("bdev-x", "add")));
        var error = await Assert.ThrowsAsync<ModuleException>(() => _host.LoadAsync(_folder.Add("bdev-y", RpcModule("bdev-y", "add"))));
        Assert.Contains("add is taken", error.Message);
        Assert.Equal("bdev-x", _services.Methods["add"].Module);
    }

    [Fact]
    public async Task A_module_that_is_not_unloadable_stays()
    {
        var module = await _host.LoadAsync(_folder.Add("bdev-x", manifest: json => json["unloadable"] = false, assembly: "Stays"));
        Assert.False(module.LoadContext!.IsCollectible);
        Assert.True(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken));
        Assert.Contains(AppDomain.CurrentDomain.GetAssemblies(), assembly => assembly.GetName().Name == "Stays");
    }

    [Fact]
    public async Task A_context_that_something_holds_is_reported()
    {
        _host.UnloadTimeout = TimeSpan.FromMilliseconds(200);
        var module = await _host.LoadAsync(_folder.Add("bdev-x"));
        var held = module.Instance;
        Assert.False(await _host.UnloadAsync("bdev-x", TestContext.Current.CancellationToken));
        GC.KeepAlive(held);
    }

    [Fact]
    public async Task Preparing_compiles_the_modules_methods_and_ends()
    {
        var module = await _host.LoadAsync(_folder.Add("bdev-x", RpcModule("bdev-x", "x_add")));
        _host.PrepareMethods();
        await module.Preparation!.Completed.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.InRange(module.Preparation.Count, 20, 1000);
    }

    [Fact]
    public async Task A_faulty_module_loses_its_bdevs()
    {
        var module = await _host.LoadAsync(_folder.Add("bdev-x"));
        await _host.StartAsync(module, TestContext.Current.CancellationToken);
        _host.MarkFaulty(module, "it threw");
        Assert.Equal(ModuleState.Faulty, module.State);
        Assert.Equal("it threw", module.Problem);
        Assert.Contains("remove bdevs bdev-x", _services.Events);
    }
}
