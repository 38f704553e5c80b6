using Microsoft.Extensions.DependencyInjection;
using Spindle;
using Spindle.Modules;
using Spindle.Rpc;

namespace Acme.Fast;

public sealed class Module : FrontEnd
{
    private readonly List<BlockServer> _servers = [];
    private IModuleContext? _context;

    public override string Name => "acme-fast";
    public override string Subsystem => "acme-fast";

    public override void ConfigureServices(IServiceCollection services) => services.AddSingleton(this).AddSingleton<Methods>();

    public override Task StartAsync(IModuleContext context, CancellationToken cancellationToken)
    {
        _context = context;
        return Task.CompletedTask;
    }

    public override Task StopAsync(CancellationToken cancellationToken) => Task.WhenAll(_servers.Select(server => server.StopAsync()));

    public override IReadOnlyList<ServedEndpoint> Served =>
        [.. _servers.Where(server => !server.IsStopping).Select(server => new ServedEndpoint("blocks/TCP", $"127.0.0.1:{server.Port}", server.BdevName, server.BdevName, ""))];

    public override int ConnectionCount => _servers.Sum(server => server.Connections);

    internal int Serve(string bdev, int port)
    {
        var server = new BlockServer(_context!, bdev, port);
        _servers.Add(server);
        return server.Port;
    }
}

[RpcObject]
public sealed class ServeParameters
{
    [RpcMember(Required = true, Summary = "The bdev to serve.")] public string BdevName { get; set; } = "";
    [RpcMember(Summary = "The TCP port on the loopback address; 0: any free one.")] public ushort Port { get; set; }
}

public sealed class Methods(Module module)
{
    [RpcMethod("acme_fast_serve", Summary = "Serve a bdev's blocks; returns the port.")]
    public int Serve(ServeParameters p) => module.Serve(p.BdevName, p.Port);
}
