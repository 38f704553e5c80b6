using System.CommandLine;
using Spindle.Host.Modules;
using Spindle.Host.Modules.Installation;
using Spindle.Host.Modules.Trust;

namespace Spindle.Cli;

/// <summary><c>spindle module install | verify | remove</c>: versions of modules in a folder, side by side.</summary>
internal static class InstallCommands
{
    private static Option<string> FolderOption() => new("--modules")
    {
        Description = "The folder to install into.", HelpName = "DIR", DefaultValueFactory = _ => ModuleStore.DefaultFolder,
    };

    private static Option<string[]> TrustOption(string description) => new("--trust") { Description = description, HelpName = "KEY.pub", DefaultValueFactory = _ => [] };

    private static IReadOnlyList<TrustedKey> Keys(string[] files) => [.. files.Select(TrustedKey.Load)];

    public static IEnumerable<Command> Create() => [Install(), Verify(), Remove()];

    private static Command Install()
    {
        var what = new Argument<string>("PACKAGE") { Description = "A .nupkg file, or ID or ID@VERSION of a package in a feed; VERSION is one (1.2.3) or a range ([1.0,2.0))." };
        var folder = FolderOption();
        var sources = new Option<string[]>("--source") { Description = "A NuGet feed (URL or folder) to look in, instead of those of the NuGet configuration; repeatable.", HelpName = "FEED", DefaultValueFactory = _ => [] };
        var trust = TrustOption("A vendor's public key; then only a module that one of these keys signed is installed; repeatable.");
        var command = new Command("install", "Installs a module from a package, checked against this host's contract; runs none of its code.") { what, folder, sources, trust };
        command.SetAction((parsed, cancellation) => RunAsync(async () =>
        {
            string package = parsed.GetValue(what)!;
            var store = new ModuleStore(parsed.GetValue(folder)!);
            var keys = Keys(parsed.GetValue(trust)!);
            if (package.EndsWith(".nupkg", StringComparison.OrdinalIgnoreCase) || File.Exists(package))
            {
                Report(store, store.Install(package, Path.GetFullPath(package), keys));
                return ExitCode.Success;
            }
            int at = package.IndexOf('@');
            string id = at < 0 ? package : package[..at];
            using var file = await NuGetFeeds.DownloadAsync(id, at < 0 ? null : package[(at + 1)..], parsed.GetValue(sources)!, cancellation);
            Report(store, store.Install(file.Path, file.Source, keys));
            return ExitCode.Success;
        }));
        return command;
    }

    private static void Report(ModuleStore store, LockedModule module) =>
        Console.Out.WriteLine($"{module.Name} {module.Version} is installed in {Path.Combine(store.Folder, module.Name, module.Version)}{Signed(module.Signature)}");

    private static string Signed(LockedSignature? signature) => signature switch
    {
        null => "",
        { Verified: true } => $"; signed by key {signature.Key}, verified",
        _ => $"; signed by key {signature.Key}, not checked (--trust KEY.pub does)",
    };

    private static Command Verify()
    {
        var name = new Argument<string?>("NAME") { Description = "A module; all when it is left out.", Arity = ArgumentArity.ZeroOrOne };
        var folder = FolderOption();
        var trust = TrustOption("A vendor's public key; then each module must be signed by one of these keys, else by the one it was verified with when it was installed; repeatable.");
        var command = new Command("verify", "Compares installed modules with the hashes and signatures of their installation and checks them against this host's contract.") { name, folder, trust };
        command.SetAction((parsed, _) => RunAsync(() =>
        {
            var keys = Keys(parsed.GetValue(trust)!);
            var results = new ModuleStore(parsed.GetValue(folder)!).Verify(parsed.GetValue(name), keys);
            foreach (var result in results)
                if (result.Problems.Count == 0) Console.Out.WriteLine($"{result.Name} {result.Version}: ok{(keys.Count > 0 ? "; signed by a trusted key" : Signed(result.Signature))}");
                else foreach (string problem in result.Problems) Console.Error.WriteLine($"spindle: {result.Name} {result.Version}: {problem}");
            return Task.FromResult(results.All(result => result.Problems.Count == 0) ? ExitCode.Success : ExitCode.Failure);
        }));
        return command;
    }

    private static Command Remove()
    {
        var what = new Argument<string>("NAME") { Description = "A module, all its versions; or NAME@VERSION." };
        var folder = FolderOption();
        var command = new Command("remove", "Removes an installed module.") { what, folder };
        command.SetAction((parsed, _) => RunAsync(() =>
        {
            string[] parts = parsed.GetValue(what)!.Split('@', 2);
            foreach (string version in new ModuleStore(parsed.GetValue(folder)!).Remove(parts[0], parts.Length > 1 ? parts[1] : null))
                Console.Out.WriteLine($"{parts[0]} {version} is removed");
            return Task.FromResult(ExitCode.Success);
        }));
        return command;
    }

    private static async Task<int> RunAsync(Func<Task<int>> action)
    {
        try
        {
            return await action();
        }
        catch (ModuleException e)
        {
            await Console.Error.WriteLineAsync($"spindle: {e.Message} ({e.Code})");
        }
        catch (Exception e) when (e is SpindleException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"spindle: {e.Message}");
        }
        return ExitCode.Failure;
    }
}
