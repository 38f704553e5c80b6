using Spindle.Rpc;

namespace Spindle.Bdev.Lvol;

/// <summary>Errors as SPDK's methods answer with: the C library's words first, then the reason.</summary>
internal static class LvolErrors
{
    public static RpcException Of(int code, int errno, string reason) => new(code, $"{Errno.Message(errno)}: {reason}");

    public static RpcException Of(int code, SpindleException e) =>
        new(code, e.Message == Errno.Message(e.Errno) ? e.Message : $"{Errno.Message(e.Errno)}: {e.Message}");

    /// <summary>Runs what may fail with an error number; the code on the wire is the method's.</summary>
    public static async Task<T> RunAsync<T>(int code, Func<Task<T>> run)
    {
        try
        {
            return await run();
        }
        catch (SpindleException e)
        {
            throw Of(code, e);
        }
    }

    /// <summary>Runs what may fail with an error number; the code on the wire is the method's.</summary>
    public static Task RunAsync(int code, Func<Task> run) => RunAsync(code, async () =>
    {
        await run();
        return true;
    });
}
