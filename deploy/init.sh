#!/bin/sh
# Makes the folder of settings and secrets that docker-compose.yml reads.
#   sh deploy/init.sh live [folder]    for your own Stripe account and FileMaker file; says what is left to fill in
#   sh deploy/init.sh demo [folder]    complete, for the stand-ins; needs openssl for their certificate
# The folder is deploy/live or deploy/demo unless named. A file that is there already is kept.
set -eu
kind=${1:-}
case $kind in
  live | demo) ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
folder=${2:-$here/$kind}

umask 077
mkdir -p "$folder/secrets" "$folder/config"
folder=$(cd "$folder" && pwd)
# The process in the container is another user than you: it must be able to read the files themselves. Nobody else on
# this machine can, since the folder around them is closed. `config` is mounted as a folder and so must be open.
chmod 700 "$folder" "$folder/secrets"
chmod 755 "$folder/config"

secret() { # secret <name> <value>: kept when it is there and not empty
  [ -s "$folder/secrets/$1" ] || printf '%s' "$2" >"$folder/secrets/$1"
  chmod 444 "$folder/secrets/$1"
}
random_hex() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

[ -f "$folder/bridge.env" ] || cp "$here/$kind.env.sample" "$folder/bridge.env"
secret postgres_password "$(random_hex)"
secret database_url "postgresql://bridge:$(cat "$folder/secrets/postgres_password")@postgres:5432/bridge"
secret filemaker_token_key "$(head -c 32 /dev/urandom | base64)"

if [ "$kind" = live ]; then
  for name in stripe_api_key stripe_webhook_secrets filemaker_password; do
    secret "$name" ''
    chmod 644 "$folder/secrets/$name"
    [ -s "$folder/secrets/$name" ] || echo "To fill in: $folder/secrets/$name"
  done
  echo "To look through: $folder/bridge.env"
  exit 0
fi

# What the stand-ins accept when nobody says otherwise.
secret stripe_api_key sk_test_simulator
secret stripe_webhook_secrets whsec_simulator
secret filemaker_password bridge

# The bridge sends a password only over TLS or to its own machine, so the stand-in for FileMaker Server has a certificate.
if [ ! -s "$folder/secrets/filemaker_tls_key" ]; then
  cat >"$folder/certificate.cnf" <<'CNF'
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = FileMaker simulator of the demo
[extensions]
basicConstraints = critical, CA:TRUE
subjectAltName = DNS:filemaker-simulator, DNS:localhost, IP:127.0.0.1
CNF
  openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 365 -config "$folder/certificate.cnf" \
    -keyout "$folder/secrets/filemaker_tls_key" -out "$folder/secrets/filemaker_tls_certificate" 2>"$folder/openssl.log" ||
    { cat "$folder/openssl.log" >&2; rm -f "$folder/secrets/filemaker_tls_key"; exit 1; }
  rm -f "$folder/certificate.cnf" "$folder/openssl.log"
fi
chmod 444 "$folder/secrets/filemaker_tls_key" "$folder/secrets/filemaker_tls_certificate"
cp -f "$folder/secrets/filemaker_tls_certificate" "$folder/config/filemaker-ca.pem"
chmod 444 "$folder/config/filemaker-ca.pem"
echo "Ready: $folder"
