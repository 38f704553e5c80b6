using Spindle.Bdevs;
using Spindle.Host.Bdevs;
using Spindle.Rpc;

namespace Spindle.Host.Rpc.Methods;

/// <summary>What sits on what.</summary>
internal sealed class BdevStackMethods(BdevRegistry registry)
{
    [RpcMethod("bdev_get_stack", Summary = "The stacks of bdevs as trees from their tops down: sizes, claims, who has each open. All, or those that one bdev is in.")]
    public IRpcResult Get(StackParameters parameters)
    {
        var member = parameters.Name is { } name ? BdevMethods.Find(registry, name) : null;
        return new StackResult(member?.Name, BdevStackNode.Of(registry, member));
    }
}

[RpcObject]
internal sealed class StackParameters
{
    [RpcMember(Summary = "Name, alias or UUID of a bdev; all stacks when left out.")]
    public string? Name { get; init; }
}

/// <summary>Stacks: each bdev with its "bases", which have the same form.</summary>
internal sealed class StackResult(string? name, IReadOnlyList<BdevStackNode> stacks) : IRpcResult
{
    public void Write(IRpcWriter w)
    {
        w.BeginObject();
        if (name is not null)
        {
            Text(w, "name", name);
        }
        w.Name("stacks");
        w.BeginArray();
        foreach (var stack in stacks)
        {
            Write(w, stack);
        }
        w.EndArray();
        w.EndObject();
    }

    static void Write(IRpcWriter w, BdevStackNode node)
    {
        w.BeginObject();
        Text(w, "name", node.Name);
        w.Name("present");
        w.Boolean(node.Bdev is not null);
        if (node.Bdev is { } bdev)
        {
            Text(w, "product_name", bdev.ProductName);
            Text(w, "module", bdev.ModuleName);
            w.Name("block_size");
            w.Number((ulong)bdev.BlockSize);
            w.Name("num_blocks");
            w.Number(bdev.BlockCount);
            WriteUse(w, bdev);
        }
        w.Name("bases");
        w.BeginArray();
        foreach (var lower in node.Bases)
        {
            Write(w, lower);
        }
        w.EndArray();
        w.EndObject();
    }

    static void WriteUse(IRpcWriter w, Bdev bdev)
    {
        var claim = BdevRegistry.GetClaim(bdev);
        w.Name("claimed");
        w.Boolean(claim.Type != BdevClaimType.None);
        if (claim.Type != BdevClaimType.None)
        {
            Text(w, "claim_type", claim.WireName);
        }
        w.Name("open_by");
        w.BeginArray();
        foreach (var open in BdevRegistry.GetOpens(bdev))
        {
            w.BeginObject();
            Text(w, "module", open.Module);
            w.Name("write");
            w.Boolean(open.IsWritable);
            w.Name("claims");
            w.Boolean(open.HasClaim);
            if (open.Purpose.Length > 0)
            {
                Text(w, "purpose", open.Purpose);
            }
            w.EndObject();
        }
        w.EndArray();
    }

    static void Text(IRpcWriter w, string name, string value)
    {
        w.Name(name);
        w.String(value);
    }
}
