using Microsoft.Extensions.DependencyInjection;
using Spindle.Io;
using Spindle.Modules;

namespace Acme.CompressedFile;

/// <summary>The entry class. What the module does is in the RPC methods: it makes no disk by itself.</summary>
public sealed class CompressedFileModule : BdevModule
{
    public override string Name => "acme-compressedfile";

    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton<CompressedFileMethods>();

    /// <summary>How a disk's file is reached; a test puts one in between that loses power.</summary>
    internal Func<RingFile, IStoreFile> Wrap { get; set; } = static file => new RingStoreFile(file);
}
