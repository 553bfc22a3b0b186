"""Sentences with personal data whose places are known: our own templates, filled by Faker and by valid identifiers.

Half of what a sentence holds is a trap: numbers of orders and invoices, amounts, versions, quantities, prefixes of
products, plain dates beside dates of birth.
"""

import itertools
import random
import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import phonenumbers
from faker import Faker
from stdnum import iban as iban_standard
from stdnum import luhn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.pt import nif

LOCALES = {
    "en": "en_GB",
    "fr": "fr_FR",
    "de": "de_DE",
    "es": "es_ES",
    "it": "it_IT",
    "nl": "nl_NL",
    "pl": "pl_PL",
    "pt": "pt_PT",
    "sv": "sv_SE",
}

# {slot} of personal data, [slot] of a trap.
TEMPLATES = {
    "en": """
        Dear {PERSON}, your order [order] of [amount] has been shipped to {LOCATION}.
        Please call {PERSON} on {PHONE_NUMBERS} or write to {EMAIL} before {DATE}.
        The patient {PERSON}, born on {DATE_OF_BIRTH}, was admitted on {DATE}; national insurance number {NATIONAL_ID}.
        Transfer [amount] to {IBAN} for invoice no. [order] by {DATE}.
        My card {CREDIT_CARD} was charged twice, ticket [order], contact me at {EMAIL}.
        The login came from {IP_ADDRESS}, running version [version] of the client.
        I changed it: username: {CREDENTIALS} and password: {CREDENTIALS}
        Follow {X_SOCIAL} or see {URL} for [quantity] more photos.
        {PERSON} works at {ORGANISATION} in {LOCATION} since [year].
        You can reach our office at {VALID_PHONE}, extension [small].
        Serial number [order], part [order], firmware [version], delivered {DATE}.
        DOB: {DATE_OF_BIRTH}, NI number {NATIONAL_ID}, tel {PHONE_NUMBERS}
        The meeting on {DATE} lasted [small] minutes and cost [amount].
        Send the report to {EMAIL}; the dashboard is at {URL}.
    """,
    "fr": """
        Bonjour {PERSON}, votre commande [order] de [amount] a été expédiée à {LOCATION}.
        Vous pouvez joindre {PERSON} au {PHONE_NUMBERS} ou écrire à {EMAIL} avant le {DATE}.
        La patiente {PERSON}, née le {DATE_OF_BIRTH}, a été admise le {DATE} ; numéro de sécurité sociale {NATIONAL_ID}.
        Merci de virer [amount] sur le compte {IBAN}, facture n° [order], avant le {DATE}.
        Ma carte bancaire {CREDIT_CARD} a été débitée deux fois, dossier [order], réponse à {EMAIL}.
        La connexion venait de {IP_ADDRESS}, version [version] du logiciel.
        Voici l'accès : identifiant : {CREDENTIALS} et mot de passe : {CREDENTIALS}
        Suivez {X_SOCIAL} ou consultez {URL} pour [quantity] autres photos.
        {PERSON} travaille chez {ORGANISATION} à {LOCATION} depuis [year].
        Le secrétariat répond au {VALID_PHONE}, poste [small].
        Numéro de série [order], référence [order], version [version], livré le {DATE}.
        Date de naissance : {DATE_OF_BIRTH}, NIR {NATIONAL_ID}, tél. {PHONE_NUMBERS}
        La réunion du {DATE} a duré [small] minutes et coûté [amount].
        Envoyez le rapport à {EMAIL} ; le tableau est sur {URL}.
    """,
    "de": """
        Guten Tag {PERSON}, Ihre Bestellung [order] über [amount] wurde nach {LOCATION} versandt.
        Sie erreichen {PERSON} unter {PHONE_NUMBERS} oder per E-Mail an {EMAIL} bis zum {DATE}.
        Die Patientin {PERSON}, geboren am {DATE_OF_BIRTH}, wurde am {DATE} aufgenommen; Steuer-ID {NATIONAL_ID}.
        Bitte überweisen Sie [amount] auf das Konto {IBAN}, Rechnung Nr. [order], bis {DATE}.
        Meine Kreditkarte {CREDIT_CARD} wurde doppelt belastet, Vorgang [order], Antwort an {EMAIL}.
        Die Anmeldung kam von {IP_ADDRESS} mit Version [version] der Software.
        Hier der Zugang: Benutzername: {CREDENTIALS} und Passwort: {CREDENTIALS}
        Folgen Sie {X_SOCIAL} oder sehen Sie unter {URL} weitere [quantity] Bilder.
        {PERSON} arbeitet seit [year] bei {ORGANISATION} in {LOCATION}.
        Unser Sekretariat hat die Nummer {VALID_PHONE}, Zimmer [small].
        Seriennummer [order], Artikel [order], Firmware [version], geliefert am {DATE}.
        Geburtsdatum: {DATE_OF_BIRTH}, Steueridentifikationsnummer {NATIONAL_ID}, Tel. {PHONE_NUMBERS}
        Die Sitzung am {DATE} dauerte [small] Minuten und kostete [amount].
        Schicken Sie den Bericht an {EMAIL}; die Übersicht steht auf {URL}.
    """,
    "es": """
        Hola {PERSON}, su pedido [order] de [amount] se ha enviado a {LOCATION}.
        Puede llamar a {PERSON} al {PHONE_NUMBERS} o escribir a {EMAIL} antes del {DATE}.
        La paciente {PERSON}, nacida el {DATE_OF_BIRTH}, ingresó el {DATE}; DNI {NATIONAL_ID}.
        Transfiera [amount] a la cuenta {IBAN}, factura n.º [order], antes del {DATE}.
        Mi tarjeta {CREDIT_CARD} se cargó dos veces, expediente [order], respuesta a {EMAIL}.
        El acceso vino de {IP_ADDRESS}, con la versión [version] del programa.
        Aquí está: usuario: {CREDENTIALS} y contraseña: {CREDENTIALS}
        Siga a {X_SOCIAL} o vea en {URL} otras [quantity] fotos.
        {PERSON} trabaja en {ORGANISATION} en {LOCATION} desde [year].
        Nuestra oficina tiene el teléfono {VALID_PHONE}, despacho [small].
        Número de serie [order], referencia [order], versión [version], entregado el {DATE}.
        Fecha de nacimiento: {DATE_OF_BIRTH}, DNI {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        La reunión del {DATE} duró [small] minutos y costó [amount].
        Envíe el informe a {EMAIL}; el panel está en {URL}.
    """,
    "it": """
        Gentile {PERSON}, il suo ordine [order] di [amount] è stato spedito a {LOCATION}.
        Può chiamare {PERSON} al {PHONE_NUMBERS} o scrivere a {EMAIL} entro il {DATE}.
        La paziente {PERSON}, nata il {DATE_OF_BIRTH}, è stata ricoverata il {DATE}; codice fiscale {NATIONAL_ID}.
        Versare [amount] sul conto {IBAN}, fattura n. [order], entro il {DATE}.
        La mia carta {CREDIT_CARD} è stata addebitata due volte, pratica [order], risposta a {EMAIL}.
        L'accesso proveniva da {IP_ADDRESS} con la versione [version] del programma.
        Ecco i dati: nome utente: {CREDENTIALS} e password: {CREDENTIALS}
        Segua {X_SOCIAL} o veda su {URL} altre [quantity] foto.
        {PERSON} lavora presso {ORGANISATION} a {LOCATION} dal [year].
        Il nostro ufficio risponde al telefono {VALID_PHONE}, stanza [small].
        Riferimento [order], lotto [order], versione [version], consegnato il {DATE}.
        Data di nascita: {DATE_OF_BIRTH}, C.F. {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        La riunione del {DATE} è durata [small] minuti ed è costata [amount].
        Invii il rapporto a {EMAIL}; il quadro è su {URL}.
    """,
    "nl": """
        Beste {PERSON}, uw bestelling [order] van [amount] is verzonden naar {LOCATION}.
        U kunt {PERSON} bellen op {PHONE_NUMBERS} of mailen naar {EMAIL} voor {DATE}.
        De patiënt {PERSON}, geboren op {DATE_OF_BIRTH}, is opgenomen op {DATE}; BSN {NATIONAL_ID}.
        Maak [amount] over naar {IBAN}, factuur nr. [order], voor {DATE}.
        Mijn creditcard {CREDIT_CARD} is twee keer belast, bestelnummer [order], antwoord naar {EMAIL}.
        De aanmelding kwam van {IP_ADDRESS} met versie [version] van het programma.
        Hier zijn ze: gebruikersnaam: {CREDENTIALS} en wachtwoord: {CREDENTIALS}
        Volg {X_SOCIAL} of zie op {URL} nog [quantity] foto's.
        {PERSON} werkt sinds [year] bij {ORGANISATION} in {LOCATION}.
        Ons kantoor is te bereiken via {VALID_PHONE}, kamer [small].
        Ordernummer [order], artikel [order], versie [version], geleverd op {DATE}.
        Geboortedatum: {DATE_OF_BIRTH}, burgerservicenummer {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        De vergadering op {DATE} duurde [small] minuten en kostte [amount].
        Stuur het verslag naar {EMAIL}; het overzicht staat op {URL}.
    """,
    "pl": """
        Szanowny kliencie {PERSON}, zamówienie [order] na kwotę [amount] wysłano do {LOCATION}.
        Proszę dzwonić do {PERSON} pod numer telefonu {PHONE_NUMBERS} lub pisać na {EMAIL} przed {DATE}.
        Pacjentka {PERSON}, urodzona {DATE_OF_BIRTH}, została przyjęta {DATE}; PESEL {NATIONAL_ID}.
        Proszę przelać [amount] na konto {IBAN}, faktura nr [order], do {DATE}.
        Moja karta {CREDIT_CARD} została obciążona dwa razy, zamówienie [order], odpowiedź na {EMAIL}.
        Logowanie przyszło z {IP_ADDRESS}, wersja [version] programu.
        Oto dane: nazwa użytkownika: {CREDENTIALS} i hasło: {CREDENTIALS}
        Obserwuj {X_SOCIAL} lub zobacz na {URL} jeszcze [quantity] zdjęć.
        {PERSON} pracuje w {ORGANISATION} w {LOCATION} od roku [year].
        Nasze biuro ma telefon {VALID_PHONE}, pokój [small].
        Artykuł [order], przesyłka [order], wersja [version], dostarczono {DATE}.
        Data urodzenia: {DATE_OF_BIRTH}, numer PESEL {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        Spotkanie {DATE} trwało [small] minut i kosztowało [amount].
        Proszę wysłać raport na {EMAIL}; zestawienie jest na {URL}.
    """,
    "pt": """
        Caro {PERSON}, a sua encomenda [order] de [amount] foi enviada para {LOCATION}.
        Pode ligar a {PERSON} pelo telefone {PHONE_NUMBERS} ou escrever para {EMAIL} antes de {DATE}.
        A paciente {PERSON}, nascida em {DATE_OF_BIRTH}, foi internada em {DATE}; NIF {NATIONAL_ID}.
        Transfira [amount] para {IBAN}, fatura n.º [order], até {DATE}.
        O meu cartão {CREDIT_CARD} foi debitado duas vezes, processo [order], resposta para {EMAIL}.
        O acesso veio de {IP_ADDRESS} com a versão [version] do programa.
        Aqui estão: utilizador: {CREDENTIALS} e senha: {CREDENTIALS}
        Siga {X_SOCIAL} ou veja em {URL} mais [quantity] fotografias.
        {PERSON} trabalha na {ORGANISATION} em {LOCATION} desde [year].
        O nosso escritório atende no telemóvel {VALID_PHONE}, sala [small].
        Referência [order], artigo [order], versão [version], entregue em {DATE}.
        Data de nascimento: {DATE_OF_BIRTH}, contribuinte {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        A reunião de {DATE} durou [small] minutos e custou [amount].
        Envie o relatório para {EMAIL}; o painel está em {URL}.
    """,
    "sv": """
        Hej {PERSON}, din beställning [order] på [amount] har skickats till {LOCATION}.
        Du kan ringa {PERSON} på telefon {PHONE_NUMBERS} eller skriva till {EMAIL} före {DATE}.
        Patienten {PERSON}, född {DATE_OF_BIRTH}, skrevs in {DATE}; personnummer {NATIONAL_ID}.
        Betala [amount] till kontot {IBAN}, faktura nr [order], senast {DATE}.
        Mitt kort {CREDIT_CARD} debiterades två gånger, ärende [order], svar till {EMAIL}.
        Inloggningen kom från {IP_ADDRESS} med version [version] av programmet.
        Här är de: användarnamn: {CREDENTIALS} och lösenord: {CREDENTIALS}
        Följ {X_SOCIAL} eller se på {URL} ytterligare [quantity] bilder.
        {PERSON} arbetar på {ORGANISATION} i {LOCATION} sedan [year].
        Vårt kontor nås på {VALID_PHONE}, rum [small].
        Ordernummer [order], artikel [order], version [version], levererad {DATE}.
        Födelsedatum: {DATE_OF_BIRTH}, pers.nr {NATIONAL_ID}, tel. {PHONE_NUMBERS}
        Mötet {DATE} tog [small] minuter och kostade [amount].
        Skicka rapporten till {EMAIL}; översikten finns på {URL}.
    """,
}

EVERYWHERE = (
    "[time] GET /v2/items/[order]?page=[small] 200 [uuid] {IP_ADDRESS}",
    "ISBN [isbn] – [coordinates] – [hash] – {EMAIL} – [quantity] – [time]",
)

# Faker's towns and firms are made of surnames; these exist.
_TOWNS = {
    "en": "London Manchester Leeds Edinburgh Cardiff Bristol Liverpool Glasgow",
    "fr": "Paris Lyon Marseille Toulouse Nantes Strasbourg Bordeaux Lille Rennes Grenoble",
    "de": "Berlin Hamburg München Köln Stuttgart Leipzig Dresden Bremen",
    "es": "Madrid Barcelona Valencia Sevilla Zaragoza Bilbao Granada",
    "it": "Roma Milano Napoli Torino Palermo Bologna Firenze",
    "nl": "Amsterdam Rotterdam Utrecht Eindhoven Groningen Tilburg",
    "pl": "Warszawy Krakowa Gdańska Poznania Wrocławia Łodzi",
    "pt": "Lisboa Porto Braga Coimbra Faro Évora",
    "sv": "Stockholm Göteborg Malmö Uppsala Linköping Örebro",
}
_FIRMS = ("Siemens", "Renault", "Airbus", "Volkswagen", "Philips", "Nokia", "Ericsson", "Michelin", "Nestlé", "IKEA")

NAMES = frozenset({"PERSON", "ORGANISATION", "LOCATION"})
STRUCTURED = (
    "EMAIL",
    "PHONE_NUMBERS",
    "CREDIT_CARD",
    "URL",
    "DATE_OF_BIRTH",
    "CREDENTIALS",
    "X_SOCIAL",
    "IBAN",
    "IP_ADDRESS",
    "NATIONAL_ID",
    "DATE",
)

_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
}
_IN_WORDS = {"de": "{d}. {m} {y}", "es": "{d} de {m} de {y}", "pt": "{d} de {m} de {y}"}
_IN_FIGURES = {
    "en": ("{d:02}/{n:02}/{y}", "{y}-{n:02}-{d:02}"),
    "de": ("{d:02}.{n:02}.{y}", "{d}.{n}.{y}"),
    "nl": ("{d:02}-{n:02}-{y}", "{d}-{n}-{y}"),
    "pl": ("{d:02}.{n:02}.{y}", "{y}-{n:02}-{d:02}"),
    "sv": ("{y}-{n:02}-{d:02}", "{d}/{n} {y}"),
}
_COUNTRIES = {"en": "GB", "sv": "SE"}


@dataclass(frozen=True)
class Sentence:
    """A text and what it holds.

    Attributes:
        language: ISO 639-1.
        text: The text.
        spans: ``(entity, start, end)`` of all personal data, in order.
    """

    language: str
    text: str
    spans: tuple[tuple[str, int, int], ...]


def sentences(language: str, count: int, seed: int = 0) -> list[Sentence]:
    """Make sentences of a language, the same for the same seed."""
    writer = _Writer(language, seed)
    templates = [*(line.strip() for line in TEMPLATES[language].strip().splitlines()), *EVERYWHERE]
    return [writer.fill(template) for template in itertools.islice(itertools.cycle(templates), count)]


class _Writer:
    def __init__(self, language: str, seed: int) -> None:
        self.language = language
        self.random = random.Random(f"{language}{seed}")
        self.faker = Faker(LOCALES[language])
        self.faker.seed_instance(self.random.randrange(2**32))
        self.plain_faker = Faker("en_US")  # some locales have cards of fewer issuers
        self.plain_faker.seed_instance(self.random.randrange(2**32))

    def fill(self, template: str) -> Sentence:
        text, spans = "", []
        for literal, entity, trap in _slots(template):
            text += literal
            if trap:
                text += _TRAPS[trap](self)
            if entity:
                value = _VALUES[entity](self)
                kind = "PHONE_NUMBERS" if entity == "VALID_PHONE" else entity
                spans.append((kind, len(text), len(text) + len(value)))
                text += value
        return Sentence(self.language, text, tuple(spans))

    def digits(self, count: int) -> str:
        return "".join(self.random.choices(string.digits, k=count))

    def date(self, first: int, last: int) -> str:
        day, month, year = self.random.randint(1, 28), self.random.randint(1, 12), self.random.randint(first, last)
        name = _MONTHS[self.language].split()[month - 1]
        figures = _IN_FIGURES.get(self.language, ("{d:02}/{n:02}/{y}", "{d:02}.{n:02}.{y}"))
        form = self.random.choice((*figures, _IN_WORDS.get(self.language, "{d} {m} {y}")))
        return form.format(d=day, n=month, m=name, y=year)

    def phone(self) -> str:
        return self.faker.phone_number()

    def assigned_phone(self) -> str:
        region = _COUNTRIES.get(self.language, self.language.upper())
        kind = self.random.choice((phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE))
        form = self.random.choice(
            (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        )
        number = phonenumbers.example_number_for_type(region, kind)
        leading = str(number.national_number)[:-4]
        while True:
            number.national_number = int(leading + self.digits(4))
            if phonenumbers.is_valid_number_for_region(number, region):
                return phonenumbers.format_number(number, form)

    def card(self) -> str:
        kind = self.random.choice(("visa16", "mastercard", "amex"))
        digits = self.plain_faker.credit_card_number(kind)
        if len(digits) == 16 and self.random.random() < 0.5:
            return " ".join(digits[first : first + 4] for first in range(0, 16, 4))
        return digits

    def iban(self) -> str:
        value = self.faker.iban()
        return iban_standard.format(value) if self.random.random() < 0.5 else value

    def address(self) -> str:
        return self.faker.ipv4_public() if self.random.random() < 0.7 else self.faker.ipv6()

    def password(self) -> str:
        return self.faker.password(length=12, special_chars=False)

    def handle(self) -> str:
        return "@" + self.faker.user_name().replace(".", "_").replace("-", "_")

    def identifier(self) -> str:
        return _IDENTIFIERS[self.language](self)

    def amount(self) -> str:
        return self.random.choice(("{:.2f} €", "€{:.2f}", "{:.2f} EUR")).format(self.random.uniform(1, 99_999))

    def version(self) -> str:
        return ".".join(str(self.random.randint(0, 30)) for _ in range(self.random.choice((3, 4))))


def _slots(template: str) -> Iterator[tuple[str, str, str]]:
    last = 0
    for slot in re.finditer(r"\{(\w+)\}|\[(\w+)\]", template):
        yield template[last : slot.start()], slot[1] or "", slot[2] or ""
        last = slot.end()
    yield template[last:], "", ""


def _until(valid: Callable[[str], bool], make: Callable[[], str]) -> str:
    return next(value for value in iter(make, None) if valid(value))


def _birthday(writer: _Writer, form: str) -> str:
    day, month, year = writer.random.randint(1, 28), writer.random.randint(1, 12), writer.random.randint(1930, 1999)
    return form.format(d=day, m=month, y=year % 100, century=year)


def _nino(writer: _Writer) -> str:
    prefix = writer.random.choice(("AB", "CE", "GH", "JK", "LM", "PR", "ST", "WX"))
    number, suffix = writer.digits(6), writer.random.choice("ABCD")
    return writer.random.choice(
        (f"{prefix}{number}{suffix}", f"{prefix} {number[:2]} {number[2:4]} {number[4:]} {suffix}")
    )


def _nir(writer: _Writer) -> str:
    body = (
        writer.random.choice("12")
        + _birthday(writer, "{y:02}{m:02}")
        + f"{writer.random.randint(1, 95):02}"
        + writer.digits(6)
    )
    whole = body + nir.calc_check_digits(body)
    return writer.random.choice((whole, nir.format(whole)))


def _codice_fiscale(writer: _Writer) -> str:
    letters = "".join(writer.random.choices("BCDFGLMNPRSTV", k=6))
    day, month, year = writer.random.randint(1, 28), writer.random.choice("ABCDEHLMPRST"), writer.digits(2)
    body = f"{letters}{year}{month}{day:02}H{writer.random.randint(100, 999)}"
    return body + codicefiscale.calc_check_digit(body)


def _personnummer(writer: _Writer) -> str:
    body = _birthday(writer, "{y:02}{m:02}{d:02}") + writer.digits(3)
    return f"{body[:6]}-{body[6:]}{luhn.calc_check_digit(body)}"


def _dni(writer: _Writer) -> str:
    number = writer.digits(8)
    return number + writer.random.choice(("", "-")) + dni.calc_check_digit(number)


_IDENTIFIERS: dict[str, Callable[[_Writer], str]] = {
    "en": _nino,
    "fr": _nir,
    "de": lambda writer: _until(idnr.is_valid, lambda: writer.random.choice("123456789") + writer.digits(10)),
    "es": _dni,
    "it": _codice_fiscale,
    "nl": lambda writer: _until(bsn.is_valid, lambda: writer.random.choice("12") + writer.digits(8)),
    "pl": lambda writer: _until(pesel.is_valid, lambda: _birthday(writer, "{y:02}{m:02}{d:02}") + writer.digits(5)),
    "pt": lambda writer: _until(nif.is_valid, lambda: writer.random.choice("12") + writer.digits(8)),
    "sv": _personnummer,
}

_VALUES: dict[str, Callable[[_Writer], str]] = {
    "PERSON": lambda writer: f"{writer.faker.first_name()} {writer.faker.last_name()}",
    "ORGANISATION": lambda writer: writer.random.choice(_FIRMS),
    "LOCATION": lambda writer: writer.random.choice(_TOWNS[writer.language].split()),
    "EMAIL": lambda writer: writer.random.choice((writer.faker.email, writer.faker.company_email))(),
    "PHONE_NUMBERS": _Writer.phone,
    "VALID_PHONE": _Writer.assigned_phone,
    "CREDIT_CARD": _Writer.card,
    "URL": lambda writer: writer.faker.uri(),
    "DATE_OF_BIRTH": lambda writer: writer.date(1930, 2005),
    "CREDENTIALS": _Writer.password,
    "X_SOCIAL": _Writer.handle,
    "IBAN": _Writer.iban,
    "IP_ADDRESS": _Writer.address,
    "NATIONAL_ID": _Writer.identifier,
    "DATE": lambda writer: writer.date(2019, 2026),
}

_TRAPS: dict[str, Callable[[_Writer], str]] = {
    "order": lambda writer: (
        writer.random.choice(("", "", "", "A-", "ORD-"))
        + writer.digits(writer.random.choice((6, 8, 9, 10, 11, 12, 13, 16)))
    ),
    "amount": _Writer.amount,
    "version": _Writer.version,
    "quantity": lambda writer: str(writer.random.randint(100, 9_999)),
    "small": lambda writer: str(writer.random.randint(1, 500)),
    "year": lambda writer: str(writer.random.randint(1980, 2025)),
    "time": lambda writer: writer.faker.time(),
    "uuid": lambda writer: writer.faker.uuid4(),
    "isbn": lambda writer: writer.faker.isbn13(),
    "hash": lambda writer: writer.faker.sha1(),
    "coordinates": lambda writer: f"{writer.faker.latitude()}, {writer.faker.longitude()}",
}
