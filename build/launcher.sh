#!/bin/sh
# Becomes bin/spindle. A .NET that is only on the PATH (~/.dotnet, /opt) is found by DOTNET_ROOT alone.
self=$0
[ ! -L "$self" ] || self=$(readlink -f -- "$self")
case $self in */*) here=${self%/*} ;; *) here=. ;; esac
if [ -z "$DOTNET_ROOT" ] && [ ! -e /etc/dotnet/install_location ] && [ ! -d /usr/share/dotnet/host ] && [ ! -d /usr/lib/dotnet/host ]; then
  dotnet=$(command -v dotnet) && dotnet=$(readlink -f -- "$dotnet") && DOTNET_ROOT=${dotnet%/*} && export DOTNET_ROOT
fi
exec "$here/bin/spindle" "$@"
