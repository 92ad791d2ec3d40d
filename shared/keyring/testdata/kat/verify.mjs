// Verifies known-answer vectors of package keyring, independently of its code.
//
// usage: node verify.mjs FILE
//
// Prints "ok NAME" or "FAIL NAME: reason" for each vector of the file, and exits with 1 if a vector
// fails. Derives every key from the vector's master key, and checks every field against the others.

import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';

// By domain: the scope's fields (id or name). Then the byte in the envelope and the number of fields
// after the scope in a binding, or the label of the HMAC input and the number of its fields.
const domains = {
  secret: { scope: 'id name name id', byte: 2, located: 2 },
  'integration-credential': { scope: 'id name name id', byte: 3, located: 3 },
  'sync-metadata': { scope: 'id name name name name id', byte: 4, located: 1 },
  application: { scope: 'id name', byte: 5, located: 1 },
  'credential-lease': { scope: 'id name name id', byte: 6, located: 4 },
  'rotation-journal': { scope: 'id name name id', byte: 7, located: 3 },
  webhook: { scope: 'id name id', byte: 8, located: 2 },
  'access-token': { scope: 'id', label: 'access-token', fields: 6 },
  'sync-fingerprint': { scope: 'id name name name name id', label: 'sync-fingerprint', fields: 2 },
  activity: { scope: 'id', label: 'activity', fields: 4 },
  'application-hmac': { scope: 'id name', label: 'application-hmac', fields: 2 },
  'engine-activity': { scope: 'id', label: 'activity', fields: 4 },
};

const check = (condition, reason) => {
  if (!condition) throw new Error(reason);
};

const unhex = (text) => {
  check(/^([0-9a-f]{2})*$/.test(text), 'lower-case hexadecimal');
  return Buffer.from(text, 'hex');
};

const u32 = (n) => {
  const b = Buffer.alloc(4);
  b.writeUInt32BE(n);
  return b;
};

const tuple = (fields) => {
  const pieces = [Buffer.from([fields.length])];
  for (const field of fields.map((f) => Buffer.from(f))) {
    const size = Buffer.alloc(2);
    size.writeUInt16BE(field.length);
    pieces.push(size, field);
  }
  return Buffer.concat(pieces);
};

const split = (data) => {
  const fields = [];
  let at = 1;
  for (let i = 0; i < data.readUInt8(0); i++) {
    const size = data.readUInt16BE(at);
    check(at + 2 + size <= data.length, 'truncated list of fields');
    fields.push(data.subarray(at + 2, at + 2 + size));
    at += 2 + size;
  }
  return [fields, data.subarray(at)];
};

// HKDF-Expand of RFC 5869, section 2.3. node:crypto has it only together with Extract.
const expand = (key, info, size) => {
  let block = Buffer.alloc(0);
  let out = Buffer.alloc(0);
  for (let i = 1; out.length < size; i++) {
    block = createHmac('sha256', key).update(block).update(info).update(Buffer.from([i])).digest();
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, size);
};

const open = (parent, domain, version, binding, envelope, what) => {
  check(envelope.length >= 84, `${what}: too short`);
  check(envelope.subarray(0, 8).equals(Buffer.concat([Buffer.from([1, 1, domain, 0]), u32(version)])), `${what}: header`);
  const info = tuple(['stash/v1', 'message', envelope.subarray(0, 8), envelope.subarray(8, 24), binding]);
  const keys = expand(parent, info, 64);
  check(timingSafeEqual(keys.subarray(32), envelope.subarray(24, 56)), `${what}: commitment`);
  const gcm = createDecipheriv('aes-256-gcm', keys.subarray(0, 32), envelope.subarray(56, 68), { authTagLength: 16 });
  gcm.setAAD(binding);
  gcm.setAuthTag(envelope.subarray(-16));
  return Buffer.concat([gcm.update(envelope.subarray(68, -16)), gcm.final()]);
};

const verify = (v) => {
  const domain = domains[v.domain];
  check(domain, 'domain');
  const engine = v.domain === 'engine-activity';
  const wanted = [
    ...['name', 'master_key', 'master_version', 'domain', 'scope', 'context_key'],
    ...(engine ? [] : ['ws_id', 'workspace', 'wrapped_workspace_key', 'workspace_key', 'workspace_key_version']),
    ...(domain.byte ? ['binding', 'plaintext', 'ciphertext', 'text'] : ['message', 'mac']),
  ];
  check(Object.keys(v).sort().join() === wanted.sort().join(), 'fields of the vector');

  let parent = unhex(v.master_key);
  check(parent.length === 32, 'size of master_key');
  check(v.master_version >= 1, 'master_version');
  if (!engine) {
    const owner = unhex(v.ws_id);
    const binding = tuple(['workspace-key', owner, v.workspace, u32(v.workspace_key_version)]);
    const kek = expand(parent, tuple(['stash/v1', 'kek', owner, v.workspace]), 32);
    parent = open(kek, 1, v.master_version, binding, unhex(v.wrapped_workspace_key), 'wrapped_workspace_key');
    check(parent.toString('hex') === v.workspace_key, 'workspace_key');
    check(v.scope[0] === `hex:${v.ws_id}`, 'scope: workspace');
  }

  const kinds = v.scope.map((s) => (/^hex:[0-9a-f]{32}$/.test(s) ? 'id' : 'name'));
  check(kinds.join(' ') === domain.scope, 'scope: fields');
  const scope = v.scope.map((s) => (s.startsWith('hex:') ? unhex(s.slice(4)) : Buffer.from(s)));
  const key = expand(parent, tuple(['stash/v1', v.domain, ...scope]), 32);
  check(key.toString('hex') === v.context_key, 'context_key');

  if (domain.byte) {
    const binding = unhex(v.binding);
    const [fields, rest] = split(binding);
    check(rest.length === 0, 'binding: trailing bytes');
    const located = fields.splice(fields.length - domain.located);
    check(located.length === domain.located && tuple(fields).equals(tuple([v.domain, ...scope])), 'binding: scope');
    const ciphertext = unhex(v.ciphertext);
    const plaintext = open(key, domain.byte, v.workspace_key_version, binding, ciphertext, 'ciphertext');
    check(plaintext.toString('hex') === v.plaintext, 'plaintext');
    check(v.text === `stash:v${v.workspace_key_version}:${ciphertext.toString('base64url')}`, 'text');
    return;
  }

  const message = unhex(v.message);
  const [fields, rest] = split(message);
  check(fields.length === domain.fields && fields[0].toString() === domain.label, 'message: fields');
  check(v.domain !== 'application-hmac' || fields[1].equals(scope[1]), 'message: scope');
  check(v.domain !== 'access-token' || fields[3].length === 16, 'message: environment id');
  check(rest.readBigUInt64BE(0) === BigInt(rest.length - 8), 'message: length of the data');
  check(createHmac('sha256', key).update(message).digest('hex') === v.mac, 'mac');
};

const vectors = JSON.parse(readFileSync(process.argv[2], 'utf8'));
let failed = vectors.length === 0;
for (const v of vectors) {
  try {
    verify(v);
    console.log(`ok ${v.name}`);
  } catch (e) {
    failed = true;
    console.log(`FAIL ${v.name}: ${e.message}`);
  }
}
process.exitCode = failed ? 1 : 0;
