using NuGet.Common;
using NuGet.Configuration;
using NuGet.Packaging;
using NuGet.Packaging.Core;
using NuGet.Protocol;
using NuGet.Protocol.Core.Types;
using NuGet.Versioning;
using Spindle.Host.Modules;
using VersionRange = NuGet.Versioning.VersionRange;

namespace Spindle.Cli;

/// <summary>Finds plugin packages in NuGet feeds: URLs and folders.</summary>
internal static class NuGetFeeds
{
    /// <summary>A package in a temporary file, which is deleted with it.</summary>
    public sealed record Download(string Path, string Source) : IDisposable
    {
        public void Dispose() => File.Delete(Path);
    }

    /// <summary>Fetches the highest version that fits; a pre-release only when it is asked for.</summary>
    /// <param name="id">The package's id.</param>
    /// <param name="version">A version or a range in NuGet's notation; null: the highest release.</param>
    /// <param name="sources">Feeds; none: those of the NuGet configuration.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="ModuleException">PackageNotFound.</exception>
    public static async Task<Download> DownloadAsync(string id, string? version, IReadOnlyList<string> sources, CancellationToken cancellation)
    {
        ModuleException NotFound(string message) => new(ModuleErrorCode.PackageNotFound, id, message);
        if (id.Length > PackageIdValidator.MaxPackageIdLength || !PackageIdValidator.IsValidPackageId(id)) throw NotFound($"'{id}' is no package id; write ID or ID@VERSION, or the path of a .nupkg file.");
        var range = VersionRange.All;
        // An exact version, not NuGet's "or any higher".
        if (version is not null && NuGetVersion.TryParse(version, out var exact)) range = new VersionRange(exact, true, exact, true);
        else if (version is not null && !VersionRange.TryParse(version, out range!))
            throw NotFound($"'{version}' is no version; write 1.2.3 or a range like [1.0,2.0).");
        var seen = new List<string>();
        using var cache = new SourceCacheContext { NoCache = true };
        (FindPackageByIdResource Resource, NuGetVersion Version, PackageSource Feed)? best = null;
        foreach (var feed in Feeds(id, sources))
        {
            try
            {
                var resource = await Repository.Factory.GetCoreV3(feed).GetResourceAsync<FindPackageByIdResource>(cancellation)
                    ?? throw new FatalProtocolException("it is no NuGet feed");
                var all = (await resource.GetAllVersionsAsync(id, cache, NullLogger.Instance, cancellation)).ToList();
                seen.Add($"{feed.Source} ({(all.Count > 0 ? string.Join(", ", all) : "not there")})");
                var fits = all.Where(v => range.Satisfies(v) && (!v.IsPrerelease || version?.Contains('-') == true)).Max();
                if (fits is not null && (best is null || fits > best.Value.Version)) best = (resource, fits, feed);
            }
            catch (Exception e) when (IsOfTheFeed(e))
            {
                seen.Add($"{feed.Source} (does not answer: {e.InnerException?.Message ?? e.Message})");
            }
        }
        if (best is not { } found)
            throw NotFound($"{(version is null ? "no release of it" : $"no version {version} of it")} is in {(seen.Count > 0 ? string.Join("; ", seen) : "any feed: none is configured")}. Name a feed by --source, or give a .nupkg file.");
        string file = Path.Combine(Path.GetTempPath(), $"spindle-{Environment.ProcessId}-{Guid.NewGuid():N}.nupkg");
        var download = new Download(file, $"{found.Feed.Source} {id} {found.Version}");
        try
        {
            // Made by this process and for it alone: nobody else's file or link is written through.
            await using var stream = new FileStream(file, FileMode.CreateNew, FileAccess.Write);
            if (await found.Resource.CopyNupkgToStreamAsync(id, found.Version, stream, cache, NullLogger.Instance, cancellation)) return download;
            throw NotFound($"{found.Feed.Source} did not hand out version {found.Version}; try again, or give a .nupkg file.");
        }
        catch (Exception e) when (IsOfTheFeed(e))
        {
            download.Dispose();
            throw NotFound($"{found.Feed.Source} did not hand out version {found.Version} ({e.InnerException?.Message ?? e.Message}); try again, or give a .nupkg file.");
        }
        catch
        {
            download.Dispose();
            throw;
        }
    }

    private static IEnumerable<PackageSource> Feeds(string id, IReadOnlyList<string> sources)
    {
        // NuGet takes a relative path for one of the configuration's, not of where the user stands.
        if (sources.Count > 0) return sources.Select(source => new PackageSource(Directory.Exists(source) ? Path.GetFullPath(source) : source));
        try
        {
            return [.. new PackageSourceProvider(Settings.LoadDefaultSettings(Directory.GetCurrentDirectory())).LoadPackageSources().Where(source => source.IsEnabled)];
        }
        catch (NuGetConfigurationException e)
        {
            throw new ModuleException(ModuleErrorCode.PackageNotFound, id, $"the NuGet configuration cannot be read: {e.Message} Mend it, or name a feed by --source.");
        }
    }

    /// <summary>What a feed that is down, damaged or none makes the client throw.</summary>
    private static bool IsOfTheFeed(Exception e) => e is FatalProtocolException or PackagingException or InvalidDataException or IOException or UnauthorizedAccessException or HttpRequestException;
}
