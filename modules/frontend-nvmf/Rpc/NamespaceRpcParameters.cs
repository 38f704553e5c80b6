using Spindle.Rpc;

namespace Spindle.Frontend.Nvmf.Rpc;

/// <summary>Parameters of <c>nvmf_subsystem_add_ns</c>.</summary>
[RpcObject]
internal sealed class AddNamespaceParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The namespace.")]
    public NamespaceMember Namespace { get; set; } = null!;

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}

/// <summary>Member <c>namespace</c> of <c>nvmf_subsystem_add_ns</c>.</summary>
[RpcObject]
internal sealed class NamespaceMember
{
    [RpcMember(Required = true, Summary = "Name, alias or UUID of the bdev.")]
    public string BdevName { get; set; } = "";

    [RpcMember(Summary = "NSID; the smallest free one when absent.")]
    public uint Nsid { get; set; }

    [RpcMember(Summary = "NGUID, 32 hexadecimal digits; from the UUID when absent.")]
    public string? Nguid { get; set; }

    [RpcMember(Summary = "EUI-64, 16 hexadecimal digits.")]
    public string? Eui64 { get; set; }

    [RpcMember(Summary = "UUID; the bdev's when absent.")]
    public Guid? Uuid { get; set; }

    [RpcMember(Summary = "File for persistent reservations; not supported.")]
    public string? PtplFile { get; set; }

    [RpcMember(Summary = "ANA group; the NSID when absent.")]
    public uint Anagrpid { get; set; }

    [RpcMember(Summary = "Hide it from hosts that are not added to it; not supported.")]
    public bool NoAutoVisible { get; set; }

    [RpcMember(Summary = "Show hosts the bdev's data alone: protection information is made on writes and verified on reads.")]
    public bool HideMetadata { get; set; }
}

/// <summary>Parameters of <c>nvmf_subsystem_remove_ns</c>.</summary>
[RpcObject]
internal sealed class RemoveNamespaceParameters
{
    [RpcMember(Required = true, Summary = "The subsystem's NQN.")]
    public string Nqn { get; set; } = "";

    [RpcMember(Required = true, Summary = "The NSID.")]
    public uint Nsid { get; set; }

    [RpcMember(Summary = "The target's name, nvmf_tgt.")]
    public string? TgtName { get; set; }
}
