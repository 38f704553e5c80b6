using Spindle.Bdev.Raid.Intent;
using Spindle.Rpc;

namespace Spindle.Bdev.Raid.Scrub;

/// <summary>The RPC methods about whether what is redundant fits the data: scrubs, the write-intent bitmap, and spares. SPDK has none of them.</summary>
public sealed class IntegrityRpc(RaidArrays arrays)
{
    private const string Undecodable = "spdk_json_decode_object failed";

    /// <summary>Begins a scrub.</summary>
    /// <exception cref="RpcException">A negated error number and the reason.</exception>
    [RpcMethod("bdev_raid_scrub_start", Summary = "Read all members of a RAID bdev and compare what is redundant; with repair, make it again where it differs.", ParameterErrorText = Undecodable)]
    public bool Start(ScrubStartParameters parameters)
    {
        var array = Find(parameters.Name);
        if (array.State != RaidState.Online || array.Bdev is null) throw Failed(Errno.ENODEV, $"RAID bdev '{array.Name}' is not online.");
        if (array.LeastOperational == array.Slots.Count) throw Failed(Errno.ENOTSUP, $"RAID bdev '{array.Name}' is of level {array.Type.Name}: nothing of it is redundant.");
        if (array.Scrub is { Outcome: "" }) throw Failed(Errno.EALREADY, $"A scrub of '{array.Name}' is under way; end it with bdev_raid_scrub_stop.");
        if (parameters.Repair && (array.Discovered < array.Slots.Count || array.Slots.Any(slot => slot.IsTarget)))
            throw Failed(Errno.EINVAL, $"RAID bdev '{array.Name}' lacks a member: what is missing cannot be told from what differs. Have it rebuilt first, or scrub without repair.");
        array.StartScrub(parameters.Repair);
        return true;
    }

    /// <summary>Ends a scrub.</summary>
    /// <exception cref="RpcException">A negated error number and the reason.</exception>
    [RpcMethod("bdev_raid_scrub_stop", Summary = "End the scrub of a RAID bdev after the window that it is at.", ParameterErrorText = Undecodable)]
    public bool Stop(ArrayNameParameters parameters)
    {
        var array = Find(parameters.Name);
        if (array.Scrub is not { Outcome: "" } scrub) throw Failed(Errno.ENOENT, $"No scrub of '{array.Name}' is under way.");
        scrub.Stop();
        return true;
    }

    /// <summary>Shows the last scrub and the write-intent bitmap.</summary>
    /// <exception cref="RpcException">There is no such array.</exception>
    [RpcMethod("bdev_raid_get_integrity", Summary = "Show the last scrub of a RAID bdev, and how many regions its write-intent bitmap has marked.", ParameterErrorText = Undecodable)]
    public IRpcResult Get(ArrayNameParameters parameters) => new Integrity(Find(parameters.Name), arrays.Spares);

    /// <summary>Ends doubt by taking what parity says.</summary>
    /// <exception cref="RpcException">There is no such array.</exception>
    [RpcMethod("bdev_raid_accept_doubt", Summary = "Take what the redundancy of a RAID bdev says for true where it may not fit the data after an unclean stop; returns the number of regions.",
        ParameterErrorText = Undecodable)]
    public int Accept(ArrayNameParameters parameters) => (Find(parameters.Name).IntentLog as WriteIntentLog)?.AcceptDoubt() ?? 0;

    /// <summary>Adds a spare.</summary>
    /// <exception cref="RpcException">A negated error number and the reason.</exception>
    [RpcMethod("bdev_raid_add_spare", Summary = "Have a bdev take the place of a member of a RAID bdev that fails or goes; both may appear later.", ParameterErrorText = Undecodable)]
    public bool AddSpare(SpareParameters parameters)
    {
        if (parameters.RaidBdev.Length == 0 || parameters.BaseBdev.Length == 0) throw Failed(Errno.EINVAL, "raid_bdev and base_bdev must not be empty.");
        if (!arrays.Spares.Add(parameters.RaidBdev, parameters.BaseBdev)) throw Failed(Errno.EEXIST, $"'{parameters.BaseBdev}' is a spare already.");
        return true;
    }

    /// <summary>Takes a spare away.</summary>
    /// <exception cref="RpcException">A negated error number and the reason.</exception>
    [RpcMethod("bdev_raid_remove_spare", Summary = "Have a bdev be a spare of a RAID bdev no more.", ParameterErrorText = Undecodable)]
    public bool RemoveSpare(SpareParameters parameters)
    {
        if (!arrays.Spares.Remove(parameters.RaidBdev, parameters.BaseBdev)) throw Failed(Errno.ENOENT, $"'{parameters.BaseBdev}' is no spare of '{parameters.RaidBdev}'.");
        return true;
    }

    private RaidArray Find(string name) => arrays.Find(name) ?? throw Failed(Errno.ENODEV, $"raid bdev {name} not found");

    private static RpcException Failed(int errno, string why) => new(-errno, $"{Errno.Message(errno)}: {why}");

    private sealed class Integrity(RaidArray array, RaidSpares spares) : IRpcResult
    {
        public void Write(IRpcWriter writer)
        {
            writer.BeginObject();
            Text(writer, "name", array.Name);
            writer.Name("scrub");
            if (array.Scrub is { } scrub) WriteScrub(writer, scrub);
            else writer.Null();
            writer.Name("write_intent");
            if (array.IntentLog is WriteIntentLog log && array.Bdev is not null) WriteIntent(writer, log);
            else writer.Null();
            writer.Name("spares");
            writer.BeginArray();
            foreach (string spare in spares.Of(array.Name)) writer.String(spare);
            writer.EndArray();
            writer.EndObject();
        }

        private void WriteScrub(IRpcWriter writer, RaidProcess scrub)
        {
            writer.BeginObject();
            writer.Name("repair");
            writer.Boolean(scrub.Kind == RaidStepKind.Repair);
            Text(writer, "state", scrub.Outcome.Length > 0 ? scrub.Outcome : array.Process == scrub ? "running" : "waiting");
            Number(writer, "checked_blocks", scrub.Offset);
            Number(writer, "mismatched_blocks", scrub.Mismatches);
            if (scrub.Failure.Length > 0) Text(writer, "reason", scrub.Failure);
            writer.EndObject();
        }

        private static void WriteIntent(IRpcWriter writer, WriteIntentLog log)
        {
            writer.BeginObject();
            Number(writer, "region_blocks", log.Geometry.RegionBlocks);
            Number(writer, "regions", (ulong)log.Table.Count);
            Number(writer, "marked", (ulong)log.RegionsMarked);
            Number(writer, "in_doubt", (ulong)log.RegionsInDoubt);
            writer.EndObject();
        }

        private static void Text(IRpcWriter writer, string name, string value)
        {
            writer.Name(name);
            writer.String(value);
        }

        private static void Number(IRpcWriter writer, string name, ulong value)
        {
            writer.Name(name);
            writer.Number(value);
        }
    }
}
