// What a front end does with the Firebase JS SDK. The same module runs in Node and in a page.
import { deleteApp, initializeApp } from 'firebase/app';
import {
  connectAuthEmulator, createUserWithEmailAndPassword, getAuth, GoogleAuthProvider,
  signInWithCredential,
} from 'firebase/auth';
import {
  collection, connectFirestoreEmulator, doc, getFirestore, onSnapshot, orderBy, query, terminate,
  where,
} from 'firebase/firestore';
import { getFunctions, httpsCallable } from 'firebase/functions';

/** An app of its own; `report` takes a listener's id and what it heard. */
export class FrontEnd {
  #report;

  constructor({ apiUrl, authHost, firestoreHost, projectId }, report) {
    this.#report = report;
    this.apiUrl = apiUrl;
    this.app = initializeApp({ apiKey: 'demo', projectId }, crypto.randomUUID());
    this.auth = getAuth(this.app);
    connectAuthEmulator(this.auth, `http://${authHost}`, { disableWarnings: true });
    this.firestore = getFirestore(this.app);
    const [host, port] = firestoreHost.split(':');
    connectFirestoreEmulator(this.firestore, host, Number(port));
    this.functions = getFunctions(this.app, apiUrl);
  }

  async signUp(email) {
    const { user } = await createUserWithEmailAndPassword(this.auth, email, 'correct horse');
    return user.uid;
  }

  /** Emulators take the claims in place of a signed ID token of Google's. */
  async signInWithGoogle(claims) {
    const credential = GoogleAuthProvider.credential(JSON.stringify(claims));
    const { user } = await signInWithCredential(this.auth, credential);
    return user.uid;
  }

  idToken() {
    return this.auth.currentUser.getIdToken();
  }

  /** Calls the REST API below `/api/v1`. */
  async call(method, path, body) {
    const response = await fetch(`${this.apiUrl}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await this.idToken()}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, body: text && JSON.parse(text) };
  }

  async deployAgent(agentId) {
    const { data } = await httpsCallable(this.functions, 'deployAgent')({ agentId });
    return data;
  }

  /** Listens to a query of `client-queries.json`, whose `{names}` are filled with `values`. */
  listen(listenerId, clientQuery, values) {
    const target = buildQuery(this.firestore, clientQuery, values);
    this.#listen(listenerId, target, (snapshot) => snapshot.docs.map(readDocument));
  }

  listenToDocument(listenerId, path) {
    const read = (snapshot) => (snapshot.exists() ? [readDocument(snapshot)] : []);
    this.#listen(listenerId, doc(this.firestore, path), read);
  }

  /** Ends all listeners. */
  async close() {
    await terminate(this.firestore);
    await deleteApp(this.app);
  }

  #listen(listenerId, target, read) {
    onSnapshot(
      target,
      // So that the server's answer is reported even when the SDK knew it from another listener.
      { includeMetadataChanges: true },
      (snapshot) => {
        this.#report(listenerId, { docs: read(snapshot), fromCache: snapshot.metadata.fromCache });
      },
      (error) => this.#report(listenerId, { refusal: error.code }),
    );
  }
}

function buildQuery(firestore, { collection: path, where: filters, orderBy: orders }, values) {
  const fill = (text) => text.replace(/\{(\w+)\}/g, (_, name) => {
    if (!(name in values)) throw new Error(`no value for {${name}}`);
    return values[name];
  });
  return query(
    collection(firestore, fill(path)),
    ...filters.map(([field, comparison, value]) => where(field, comparison, fill(value))),
    ...orders.map(([field, direction]) => orderBy(field, direction)),
  );
}

/** As JSON, because a page can tell a test nothing else. */
function readDocument(snapshot) {
  return JSON.parse(JSON.stringify({ ...snapshot.data(), id: snapshot.id }));
}
