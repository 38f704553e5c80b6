using Spindle.Rpc;

namespace Spindle.Bdev.Raid;

public sealed partial class RaidArray
{
    internal void DumpInfo(IRpcWriter writer)
    {
        writer.Name("raid");
        writer.BeginObject();
        WriteInfo(writer);
        writer.EndObject();
    }

    internal void WriteInfo(IRpcWriter writer)
    {
        Text(writer, "uuid", Uuid.ToString("D"));
        Number(writer, "strip_size_kb", StripKib);
        Text(writer, "state", NameOf(State));
        Text(writer, "raid_level", Type.Name);
        writer.Name("superblock");
        writer.Boolean(HasSuperblock);
        Number(writer, "num_base_bdevs", (ulong)Slots.Count);
        Number(writer, "num_base_bdevs_discovered", (ulong)Discovered);
        Number(writer, "num_base_bdevs_operational", (ulong)(Operational + Slots.Count(slot => slot.IsTarget)));
        WriteProcess(writer);
        writer.Name("base_bdevs_list");
        writer.BeginArray();
        foreach (var slot in Slots)
        {
            writer.BeginObject();
            Text(writer, "name", slot.Name);
            Text(writer, "uuid", slot.Uuid.ToString("D"));
            writer.Name("is_configured");
            writer.Boolean(slot.Member is not null);
            Number(writer, "data_offset", slot.DataOffset);
            Number(writer, "data_size", slot.DataBlocks);
            writer.EndObject();
        }
        writer.EndArray();
    }

    private void WriteProcess(IRpcWriter writer)
    {
        if (Process is not { } process || Bdev is not { } bdev) return;
        writer.Name("process");
        writer.BeginObject();
        Text(writer, "type", RaidProcess.NameOf(process.Kind));
        if (process.Target is { } target) Text(writer, "target", target.Name);
        writer.Name("progress");
        writer.BeginObject();
        Number(writer, "blocks", process.Offset);
        Number(writer, "percent", (ulong)(process.Offset * 100.0 / bdev.BlockCount));
        writer.EndObject();
        writer.EndObject();
    }

    /// <summary>Writes the call that makes it again; with a superblock the members know.</summary>
    internal void WriteConfig(IConfigWriter writer)
    {
        if (HasSuperblock) return;
        writer.Call("bdev_raid_create", w =>
        {
            Text(w, "name", Name);
            Text(w, "uuid", Uuid.ToString("D"));
            if (StripKib != 0) Number(w, "strip_size_kb", StripKib);
            Text(w, "raid_level", Type.Name);
            w.Name("base_bdevs");
            w.BeginArray();
            foreach (var slot in Slots) w.String(slot.Name ?? $"removed_base_bdev_{slot.Index}");
            w.EndArray();
        });
    }

    internal static string NameOf(RaidState state) => state switch
    {
        RaidState.Online => "online",
        RaidState.Configuring => "configuring",
        _ => "offline",
    };

    private static void Text(IRpcWriter writer, string name, string? value)
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
