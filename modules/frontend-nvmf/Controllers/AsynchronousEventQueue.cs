using Spindle.Frontend.Nvmf.Transport;
using Spindle.Nvme.Commands;
using Spindle.Nvme.Events;

namespace Spindle.Frontend.Nvmf.Controllers;

/// <summary>The Asynchronous Event Requests of one controller and the events that wait for one (NVMe Base Specification 2.0, section 5.2). An event of a kind
/// is reported once until the host clears it by reading its log page without Retain Asynchronous Event. On the controller's thread.</summary>
internal sealed class AsynchronousEventQueue
{
    /// <summary>Requests that a host may have outstanding (AERL + 1).</summary>
    public const int Limit = 4;

    private readonly NvmfRequest?[] _requests = new NvmfRequest?[Limit];
    private readonly Queue<AsynchronousEvent> _pending = new();
    private uint _masked;
    private int _count;

    /// <summary>Requests outstanding.</summary>
    public int Outstanding => _count;

    /// <summary>Events that wait for a request.</summary>
    public int Pending => _pending.Count;

    /// <summary>Takes a request: answered now when an event waits, or kept.</summary>
    public void Add(NvmfRequest request)
    {
        if (_count == Limit)
        {
            request.Complete(new StatusField(CommandSpecificStatusCode.AsynchronousEventRequestLimitExceeded, dnr: true));
            return;
        }
        if (_pending.TryDequeue(out AsynchronousEvent waiting))
        {
            request.Completion.Cdw0 = waiting.Raw;
            request.Complete(StatusField.Success);
            return;
        }
        _requests[_count++] = request;
    }

    /// <summary>Reports a notice, unless one of its kind was reported and not cleared.</summary>
    public void Raise(AsynchronousEvent notice)
    {
        uint bit = Bit(notice);
        if ((_masked & bit) != 0) return;
        _masked |= bit;
        if (_count == 0)
        {
            _pending.Enqueue(notice);
            return;
        }
        NvmfRequest request = Take(0);
        request.Completion.Cdw0 = notice.Raw;
        request.Complete(StatusField.Success);
    }

    /// <summary>The host has read what a notice points to: the next one may be reported.</summary>
    public void Clear(AsynchronousEvent notice) => _masked &= ~Bit(notice);

    /// <summary>Aborts one request.</summary>
    /// <returns>False when there is none with that identifier.</returns>
    public bool Abort(ushort cid)
    {
        for (int i = 0; i < _count; i++)
        {
            if (_requests[i]!.Command.Cid != cid) continue;
            Take(i).Complete(new StatusField(GenericStatusCode.CommandAbortRequested));
            return true;
        }
        return false;
    }

    /// <summary>Ends all requests: the admin queue goes away.</summary>
    public void EndAll()
    {
        while (_count > 0) Take(0).Complete(new StatusField(GenericStatusCode.CommandAbortedDueToSqDeletion));
    }

    /// <summary>Forgets what was not reported: the controller was reset.</summary>
    public void Reset()
    {
        _pending.Clear();
        _masked = 0;
    }

    private NvmfRequest Take(int index)
    {
        NvmfRequest request = _requests[index]!;
        _count--;
        for (int i = index; i < _count; i++) _requests[i] = _requests[i + 1];
        _requests[_count] = null;
        return request;
    }

    private static uint Bit(AsynchronousEvent notice) => notice.Information switch
    {
        (byte)NoticeEvent.NamespaceAttributeChanged => 1,
        (byte)NoticeEvent.AsymmetricNamespaceAccessChange => 2,
        _ => 4,
    };
}
